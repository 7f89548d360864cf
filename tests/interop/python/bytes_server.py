"""A server of inventory.v1.Inventory over plain bytes, by Python's grpcio, on a free port of loopback.

Its options are grpcio's own, as NAME=NUMBER. Prints one line of JSON once it listens: its target.
"""

import concurrent.futures
import json
import sys
import time

import grpc

# Handlers that rest must not keep others from their threads.
THREADS = 64


def get(request, context):
    return request


def watch(request, context):
    """One message, and another once as many seconds have passed as field 1 says, of which there are less than 128."""
    yield b""
    time.sleep(request[1] if request else 0)
    yield b""


def collect(requests, context):
    return b"".join(requests)


def sync(requests, context):
    yield from requests


METHODS = {
    "Get": grpc.unary_unary_rpc_method_handler(get),
    "Label": grpc.unary_unary_rpc_method_handler(get),
    "Watch": grpc.unary_stream_rpc_method_handler(watch),
    "Import": grpc.stream_unary_rpc_method_handler(collect),
    "Sync": grpc.stream_stream_rpc_method_handler(sync),
}


def main():
    options = [(name, int(number)) for name, number in (option.split("=") for option in sys.argv[1:])]
    server = grpc.server(concurrent.futures.ThreadPoolExecutor(THREADS), options=options)
    handler = grpc.method_handlers_generic_handler("inventory.v1.Inventory", METHODS)
    server.add_generic_rpc_handlers((handler,))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    print(json.dumps({"grpc": f"grpc://127.0.0.1:{port}"}), flush=True)
    server.wait_for_termination()


if __name__ == "__main__":
    main()
