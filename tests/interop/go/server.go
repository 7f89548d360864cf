// grpc-go's own interoperability test service, on a free port of loopback. Prints one line of JSON once it
// listens: its target.
package main

import (
	"fmt"
	"log"
	"net"

	"google.golang.org/grpc"
	_ "google.golang.org/grpc/encoding/gzip"
	"google.golang.org/grpc/interop"
	testpb "google.golang.org/grpc/interop/grpc_testing"
)

func main() {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	server := grpc.NewServer()
	testpb.RegisterTestServiceServer(server, interop.NewTestServer())
	fmt.Printf("{\"grpc\": \"grpc://%s\"}\n", listener.Addr())
	log.Fatal(server.Serve(listener))
}
