"""Calls to the members of a cluster: by grpcio, and by the node's own command over Iroh."""

import pathlib
import subprocess
import sys
import time

import grpc
from google.protobuf import json_format

import target

sys.path.append(str(pathlib.Path(__file__).resolve().parents[3] / "proto"))

ALL = range(len(target.MEMBERS))


def built_in(proto):
    """The messages and the services of one of the .proto files that anybody would take."""
    return grpc.protos(proto), grpc.services(proto)


def connect(test, place):
    channel = target.connect(target.MEMBERS[place])
    test.addCleanup(channel.close)
    return channel


def command(place, method, request):
    text = json_format.MessageToJson(request, indent=None)
    return [target.BINARY, "call", target.MEMBERS_IROH[place], method, text]


def over_iroh(place, method, request, answer):
    """The answer of this type, which Google's own parser must be able to read."""
    done = subprocess.run(command(place, method, request), capture_output=True, text=True, timeout=target.PATIENCE)
    assert done.returncode == 0, done.stderr
    return json_format.Parse(done.stdout, answer())


def refused_over_iroh(place, method, request):
    """The gRPC code and what is said with it."""
    done = subprocess.run(command(place, method, request), capture_output=True, text=True, timeout=target.PATIENCE)
    assert done.returncode > 64 and done.stdout == "", (done.returncode, done.stdout)
    return done.returncode - 64, done.stderr


def stream_over_iroh(place, method, request, answer, count):
    """The first answers of a stream that has no end."""
    with subprocess.Popen(command(place, method, request), stdout=subprocess.PIPE, text=True) as running:
        try:
            return [json_format.Parse(running.stdout.readline(), answer()) for _ in range(count)]
        finally:
            running.kill()


def eventually(ask, holds):
    """The answer for which that holds; the last one where there is none in time, for the test to say what is wrong."""
    until = time.monotonic() + target.PATIENCE
    while True:
        answer = ask()
        if holds(answer) or time.monotonic() > until:
            return answer
        time.sleep(0.05)


def assert_same_over_iroh(test, place, call, method, request, steady):
    """Over Iroh comes what comes over gRPC, as far as it is what it was a moment before."""
    until = time.monotonic() + target.PATIENCE
    while True:
        answer = call(request, timeout=target.PATIENCE)
        before = steady(answer)
        over = steady(over_iroh(place, method, request, type(answer)))
        if before == steady(call(request, timeout=target.PATIENCE)):
            break
        assert time.monotonic() < until, f"{method} never says the same twice"
    test.assertEqual(over, before)
    test.assertTrue(before)


def without(message, *paths):
    """The message without these fields, in all of what is repeated."""
    rest = type(message)()
    rest.CopyFrom(message)
    for path in paths:
        *parents, field = path.split(".")
        holders = [rest]
        for parent in parents:
            held = [getattr(holder, parent) for holder in holders]
            holders = [one for some in held for one in (some if hasattr(some, "__len__") else [some])]
        for holder in holders:
            holder.ClearField(field)
    return rest
