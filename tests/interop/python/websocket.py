"""A client of its own for polywire over WebSockets, written from proto/MUX.md and proto/WIRE.md alone."""

import os
import unittest

import websockets.exceptions
from websockets.sync.client import connect

import target

URL = os.environ["POLYWIRE_WEBSOCKET_TARGET"]
ORIGIN = os.environ["POLYWIRE_WEBSOCKET_ORIGIN"]
SUBPROTOCOL = "polywire.mux.1"

# MUX.md, section 2.
DATA, FIN, RESET, STOP, WINDOW, PING, PONG, CLOSE = range(1, 9)


def varint(value):
    """WIRE.md, section 3.1."""
    for size, mark in [(1, 0x00), (2, 0x40), (4, 0x80), (8, 0xC0)]:
        if value < 1 << (8 * size - 2):
            return ((mark << (8 * (size - 1))) | value).to_bytes(size, "big")
    raise ValueError(value)


def prefixed(kind, payload):
    """A frame of WIRE.md, or a field."""
    return bytes([kind]) + varint(len(payload)) + payload


class Pipe:
    """The binary messages of a WebSocket, put end to end."""

    def __init__(self, socket):
        self.socket, self.unread = socket, b""

    def read(self, length):
        while len(self.unread) < length:
            message = self.socket.recv(timeout=target.PATIENCE)
            assert isinstance(message, bytes)
            self.unread += message
        taken, self.unread = self.unread[:length], self.unread[length:]
        return taken

    def varint(self):
        first = self.read(1)
        size = 1 << (first[0] >> 6)
        return int.from_bytes(first + self.read(size - 1), "big") & ((1 << (8 * size - 2)) - 1)


class Mux:
    """One side of the multiplexer, for one stream at a time."""

    def __init__(self, socket):
        self.pipe = Pipe(socket)
        windows = [262_144, 16_777_216, 1_024]
        self.socket = socket
        socket.send(b"polymux\x01" + b"".join(number.to_bytes(4, "big") for number in windows))
        preface = self.pipe.read(20)
        assert preface[:8] == b"polymux\x01", preface
        self.next = 1

    def frame(self, kind, stream, payload):
        return bytes([kind]) + varint(stream) + varint(len(payload)) + payload

    def exchange(self, question):
        """Sends a question on a new stream, and returns all of the answer."""
        stream, self.next = self.next, self.next + 2
        self.socket.send(self.frame(FIN, stream, question))
        answer = b""
        while True:
            kind, of, length = self.pipe.read(1)[0], self.pipe.varint(), self.pipe.varint()
            payload = self.pipe.read(length)
            if kind == PING:
                self.socket.send(self.frame(PONG, 0, payload))
            elif of == stream and kind in (DATA, FIN):
                answer += payload
                if kind == FIN:
                    return answer
            else:
                assert kind in (WINDOW, PONG) or kind >= 0x80, (kind, of, payload)

    def unary(self, path, message):
        """One call in protobuf: the code of the answer, and its messages."""
        head = prefixed(0x01, path.encode()) + prefixed(0x02, b"\x00") + prefixed(0x81, b"")
        question = b"\x01" + prefixed(0x01, head) + prefixed(0x02, message) + prefixed(0x03, b"")
        frames, messages = self.exchange(question), []
        while frames:
            kind, payload, frames = split(frames)
            if kind == 0x02:
                messages.append(payload)
            if kind == 0x03:
                return code(payload), messages
        raise AssertionError("no END")


def split(text):
    """The first of what `prefixed` has put together, and the rest."""
    size = 1 << (text[1] >> 6)
    length = int.from_bytes(text[1 : 1 + size], "big") & ((1 << (8 * size - 2)) - 1)
    end = 1 + size + length
    assert len(text) >= end, text
    return text[0], text[1 + size : end], text[end:]


def code(fields):
    found = 0
    while fields:
        tag, value, fields = split(fields)
        if tag == 0x01:
            found = value[0]
    return found


class WebSocket(unittest.TestCase):
    def open(self, **options):
        socket = connect(URL, subprotocols=[SUBPROTOCOL], open_timeout=target.PATIENCE, **options)
        self.addCleanup(socket.close)
        self.assertEqual(socket.subprotocol, SUBPROTOCOL)
        return socket

    def test_a_client_written_from_the_pages_checks_the_health(self):
        mux = Mux(self.open(origin=ORIGIN))
        for _ in range(3):
            self.assertEqual(mux.unary("/grpc.health.v1.Health/Check", b""), (0, [b"\x08\x01"]))
        unknown = b"\x0a\x06nobody"
        self.assertEqual(mux.unary("/grpc.health.v1.Health/Check", unknown), (5, []))
        mux.socket.send(mux.frame(CLOSE, 0, varint(0)))
        with self.assertRaises(websockets.exceptions.ConnectionClosedOK):
            while True:
                mux.pipe.read(1)

    def test_a_page_of_an_origin_that_is_not_listed_is_kept_out(self):
        with self.assertRaises(websockets.exceptions.InvalidStatus) as refused:
            self.open(origin="https://stranger.example")
        self.assertEqual(refused.exception.response.status_code, 403)

    def test_a_pipe_may_be_torn_into_messages_and_messages_into_frames(self):
        socket = self.open()
        torn = b"polymux\x01" + bytes.fromhex("00040000 01000000 00000400")
        for byte in torn[:10]:
            socket.send(bytes([byte]))
        socket.send(b"")
        socket.send([torn[10:13], b"", torn[13:]])
        self.assertEqual(Pipe(socket).read(8), b"polymux\x01")

    def test_pings_are_answered(self):
        socket = self.open()
        self.assertTrue(socket.ping(b"there?").wait(target.PATIENCE))

    def test_what_the_pipe_cannot_take_closes_it(self):
        for message, expected in [("text", 1003), (bytes(65_537), 1009)]:
            socket = self.open()
            socket.send(message)
            with self.assertRaises(websockets.exceptions.ConnectionClosedError) as closed:
                while True:
                    socket.recv(timeout=target.PATIENCE)
            self.assertEqual(closed.exception.rcvd.code, expected)


if __name__ == "__main__":
    unittest.main()
