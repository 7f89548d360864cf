#!/bin/sh
# build.sh DIRECTORY: builds grpc-go's own interoperability client, and a server of its test service, from Debian's
# source package, as DIRECTORY/client and DIRECTORY/server. Installs what that needs when it is run by root.
# Exit status: 69 (EX_UNAVAILABLE of sysexits.h) when a package is missing and cannot be had.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$1"
cd "$1"

unavailable() {
    echo "grpc-go: $*" >&2
    exit 69
}

command -v apt-get >/dev/null || unavailable "its sources come from Debian's packages, and this is not Debian"

# The compiler, and what grpc-go imports; xz-utils unpacks it.
packages='golang-go golang-github-golang-protobuf-1-5-dev golang-github-google-go-cmp-dev
    golang-golang-x-net-dev golang-golang-x-oauth2-dev golang-golang-x-oauth2-google-dev golang-golang-x-sys-dev
    golang-golang-x-text-dev golang-google-cloud-compute-metadata-dev golang-google-genproto-dev
    golang-google-protobuf-dev xz-utils'
missing=
for package in $packages; do
    dpkg -s "$package" >/dev/null 2>&1 || missing="$missing $package"
done
if [ -n "$missing" ]; then
    [ "$(id -u)" = 0 ] || unavailable "not installed:$missing"
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -q && apt-get install -q -y --no-install-recommends $missing ||
        unavailable "cannot be installed:$missing"
fi

# The package for developers lacks the directory interop; the source package has it. The lists of source packages
# stay here, and the system's settings as they are.
. /etc/os-release
mkdir -p lists/partial cache/archives/partial
apt-get indextargets --format 'deb-src $(REPO_URI) $(RELEASE) $(COMPONENT)' 'Created-By: Packages' 'Origin: Debian' |
    grep " $VERSION_CODENAME main\$" >sources.list || unavailable 'no list of Debian packages to find its source with'
sources() {
    apt-get -q -o Dir::Etc::SourceList="$PWD/sources.list" -o Dir::Etc::SourceParts=/dev/null \
        -o Dir::State::Lists="$PWD/lists" -o Dir::Cache="$PWD/cache" "$@"
}
sources update && sources source --download-only golang-google-grpc || unavailable 'its source cannot be fetched'

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
