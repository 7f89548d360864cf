"""Calls as grpcio does with a certificate of its own, or without one, and prints who the server says it is. Of the methods that
POLYWIRE_METHODS names instead, it prints the code of each, a line each.

certificates.py ADDRESS AUTHORITY [CERTIFICATE KEY]
"""

import os
import pathlib
import sys

import grpc

PATIENCE = 30
METHODS = os.environ.get("POLYWIRE_METHODS", "").split()


def main(address, authority, certificate=None, key=None):
    read = lambda path: pathlib.Path(path).read_bytes() if path else None
    credentials = grpc.ssl_channel_credentials(read(authority), read(key), read(certificate))
    with grpc.secure_channel(address, credentials) as channel:
        for method in METHODS:
            print(outcome(channel, method)[0])
        if not METHODS:
            code, item = outcome(channel, "inventory.v1.Inventory/Get")
            if code != "OK":
                print(code)
                return
            # The first field of an item is its name: a tag, a length below 128, the text.
            assert item[0] == 0x0A and item[1] < 128, item
            print(item[2 : 2 + item[1]].decode())


def outcome(channel, method):
    try:
        # {"key": "none"} and {"prefix": "none"}
        request = b"\x0a\x04none" if ".kv." in method else b""
        return "OK", channel.unary_unary(f"/{method}")(request, timeout=PATIENCE)
    except grpc.RpcError as error:
        return error.code().name, None


main(*sys.argv[1:])
