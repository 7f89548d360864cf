#!/bin/sh
# build.sh DIRECTORY: builds grpc-go's own interoperability client, and a server of its test service, from Debian's
# source package, as DIRECTORY/client and DIRECTORY/server. Installs what that needs when it is run by root.
# Exit status: 69 (EX_UNAVAILABLE of sysexits.h) when a package is missing and cannot be had.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$1"
cd "$1"

name=grpc-go
. "$here/../debian.sh"
# The compiler, and what grpc-go imports; xz-utils unpacks it.
need golang-go golang-github-golang-protobuf-1-5-dev golang-github-google-go-cmp-dev \
    golang-golang-x-net-dev golang-golang-x-oauth2-dev golang-golang-x-oauth2-google-dev golang-golang-x-sys-dev \
    golang-golang-x-text-dev golang-google-cloud-compute-metadata-dev golang-google-genproto-dev \
    golang-google-protobuf-dev xz-utils
# The package for developers lacks the directory interop; the source package has it.
fetch golang-google-grpc

package=gopath/src/google.golang.org/grpc
rm -rf gopath
mkdir -p "$package"
tar -xf golang-google-grpc_*.orig.tar.* -C "$package" --strip-components=1
mkdir "$package/interop/polywire"
cp "$here/server.go" "$package/interop/polywire/"
export GO111MODULE=off GOPATH="$PWD/gopath:/usr/share/gocode" GOCACHE="$PWD/gocache" GOFLAGS= GOTOOLCHAIN=local
go build -o client google.golang.org/grpc/interop/client
go build -o server google.golang.org/grpc/interop/polywire
rm -rf lists cache gocache gopath
