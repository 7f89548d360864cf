"""Messages that nobody on the way has a schema of, against a server that echoes whatever it gets."""

import os
import threading
import unittest

import grpc

import target

# Each would come out differently where somebody decoded and encoded it: fields that no schema has, out of order,
# repeated, with varints longer than they need be; and bytes that are no protobuf at all.
MESSAGES = [
    b"",
    b"\xfa\x3f\x03abc\x08\x01\x08\x02",
    b"\x08\x81\x80\x80\x80\x00",
    b"\xff" * 37,
    bytes(range(256)) * 4,
    os.urandom(300_000),
]


class Echo(unittest.TestCase):
    def setUp(self):
        self.channel = target.connect(target.ECHO)
        self.addCleanup(self.channel.close)

    def test_single_messages_arrive_byte_for_byte(self):
        echo = self.channel.unary_unary("/nobody.knows.v1.This/Method")
        for message in MESSAGES:
            self.assertEqual(echo(message, timeout=target.PATIENCE), message)

    def test_streams_arrive_byte_for_byte_and_in_order(self):
        echo = self.channel.stream_stream("/nobody.knows.v1.This/Method")
        self.assertEqual(list(echo(iter(MESSAGES), timeout=target.PATIENCE)), MESSAGES)

    def test_a_stream_without_messages_is_one(self):
        echo = self.channel.stream_stream("/nobody.knows.v1.This/Method")
        self.assertEqual(list(echo(iter([]), timeout=target.PATIENCE)), [])

    def test_a_conversation_goes_back_and_forth(self):
        questions = []
        answered = []
        arrived = threading.Event()

        def ask():
            for message in MESSAGES:
                # The next goes out only when the one before it has come back.
                self.assertEqual(len(answered), len(questions))
                questions.append(message)
                yield message
                while len(answered) < len(questions):
                    arrived.wait(target.PATIENCE)
                    arrived.clear()

        echo = self.channel.stream_stream("/nobody.knows.v1.This/Method")
        for answer in echo(ask(), timeout=target.PATIENCE):
            answered.append(answer)
            arrived.set()
        self.assertEqual(answered, MESSAGES)

    def test_metadata_goes_through_in_both_directions(self):
        echo = self.channel.unary_unary("/nobody.knows.v1.This/Method")
        sent = [("tenant", "blue"), ("trace-bin", b"\x00\xff"), ("twice", "1"), ("twice", "2, 3")]
        _, call = echo.with_call(b"\x01", metadata=sent, timeout=target.PATIENCE)
        for received in [call.initial_metadata(), call.trailing_metadata()]:
            self.assertCountEqual([entry for entry in received if entry[0] in ("tenant", "trace-bin", "twice")], sent)


if __name__ == "__main__":
    unittest.main()
