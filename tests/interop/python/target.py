"""Where the servers under test are: the environment says so, as the Rust test that runs this set it."""

import os

import grpc

NODE = os.environ.get("POLYWIRE_NODE_ADDRESS")
SHOP = os.environ.get("POLYWIRE_SHOP_ADDRESS")
ECHO = os.environ.get("POLYWIRE_ECHO_ADDRESS")
SOCKET = os.environ.get("POLYWIRE_SOCKET_ADDRESS")
METRICS = os.environ.get("POLYWIRE_METRICS_URL")

# The members of a cluster, or a node alone, in the same order.
MEMBERS = os.environ.get("POLYWIRE_MEMBERS", "").split()
MEMBERS_IROH = os.environ.get("POLYWIRE_MEMBERS_IROH", "").split()
MEMBERS_KEYS = os.environ.get("POLYWIRE_MEMBERS_KEYS", "").split()
MEMBERS_PIDS = [int(pid) for pid in os.environ.get("POLYWIRE_MEMBERS_PIDS", "").split()]
MEMBERS_DATA = os.environ.get("POLYWIRE_MEMBERS_DATA", "").split()
BINARY = os.environ.get("POLYWIRE_BINARY")

PATIENCE = 30


def connect(address, **options):
    return grpc.insecure_channel(address, options=list(options.items()))
