"""Where the servers under test are: the environment says so, as the Rust test that runs this set it."""

import os

import grpc

NODE = os.environ.get("POLYWIRE_NODE_ADDRESS")
SHOP = os.environ.get("POLYWIRE_SHOP_ADDRESS")
ECHO = os.environ.get("POLYWIRE_ECHO_ADDRESS")
METRICS = os.environ.get("POLYWIRE_METRICS_URL")

PATIENCE = 30


def connect(address, **options):
    return grpc.insecure_channel(address, options=list(options.items()))
