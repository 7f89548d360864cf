"""The messages and stubs of grpc.testing, made of the .proto files beside the Rust crate."""

import pathlib
import sys

import grpc

sys.path.append(str(pathlib.Path(__file__).resolve().parent.parent / "proto"))

Empty = grpc.protos("interop/empty.proto").Empty
messages = grpc.protos("interop/messages.proto")
services = grpc.services("interop/test.proto")

INITIAL = "x-grpc-test-echo-initial"
TRAILING = "x-grpc-test-echo-trailing-bin"
REQUEST_SIZES = [27182, 8, 1828, 45904]
RESPONSE_SIZES = [31415, 9, 2653, 58979]
LARGE_REQUEST = 271828
LARGE_RESPONSE = 314159


def zeros(size):
    return messages.Payload(body=bytes(size))


def answers(*sizes):
    return [messages.ResponseParameters(size=size) for size in sizes]
