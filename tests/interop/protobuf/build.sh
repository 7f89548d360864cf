#!/bin/sh
# build.sh DIRECTORY: builds the runner of protobuf's own conformance tests from Debian's source package, as
# DIRECTORY/runner, and puts the files of its messages into DIRECTORY/protos. Installs what that needs when it is run by root.
# Exit status: 69 (EX_UNAVAILABLE of sysexits.h) when a package is missing and cannot be had.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$1"
cd "$1"

name="protobuf's conformance tests"
. "$here/../debian.sh"
need g++ libprotobuf-dev protobuf-compiler xz-utils
fetch protobuf

rm -rf source generated protos
mkdir source generated
tar -xf protobuf_*.orig.tar.* -C source --strip-components=1
# Later releases have another layout, and need more than a compiler to be built.
[ -f source/conformance/conformance_test_main.cc ] || unavailable "this release's cannot be built here"
messages='google/protobuf/test_messages_proto3.proto google/protobuf/test_messages_proto2.proto'
for message in $messages; do
    mkdir -p "protos/$(dirname "$message")"
    cp "source/src/$message" "protos/$message"
done
protoc --cpp_out=generated -I source/conformance -I source/src source/conformance/conformance.proto
protoc --cpp_out=generated -I source/src $messages
# It runs for a second: how well it is compiled makes no difference.
for file in source/conformance/conformance_test.cc source/conformance/conformance_test_main.cc \
    source/conformance/conformance_test_runner.cc source/conformance/binary_json_conformance_suite.cc \
    source/conformance/text_format_conformance_suite.cc source/conformance/third_party/jsoncpp/jsoncpp.cpp \
    generated/conformance.pb.cc generated/google/protobuf/test_messages_proto3.pb.cc \
    generated/google/protobuf/test_messages_proto2.pb.cc; do
    g++ -std=c++17 -O0 -w -I generated -I source/src -I source/conformance -c "$file" -o "generated/$(basename "$file").o"
done
g++ generated/*.o -lprotobuf -lpthread -o runner
rm -rf lists cache source generated protobuf_*
