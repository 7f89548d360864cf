"""Where the servers under test are: the environment says so, as the Rust test that runs this set it."""

import os

import grpc

NODE = os.environ["POLYWIRE_NODE_ADDRESS"]
SHOP = os.environ["POLYWIRE_SHOP_ADDRESS"]
METRICS = os.environ["POLYWIRE_METRICS_URL"]

PATIENCE = 30


def connect(address, **options):
    return grpc.insecure_channel(address, options=list(options.items()))
