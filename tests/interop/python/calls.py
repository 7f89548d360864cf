"""Calls of every shape, metadata, statuses and limits, by plain grpcio over bytes."""

import unittest

import grpc

import target


def message(name):
    """A message whose field 1 is this string, in protobuf."""
    text = name.encode()
    assert len(text) < 128
    return b"\x0a" + bytes([len(text)]) + text


class Calls(unittest.TestCase):
    def setUp(self):
        self.channel = target.connect(target.SHOP, **{"grpc.max_send_message_length": -1})
        self.addCleanup(self.channel.close)

    def test_all_four_shapes(self):
        get = self.channel.unary_unary("/inventory.v1.Inventory/Get")
        self.assertTrue(get(message("anvil"), timeout=target.PATIENCE).startswith(message("anvil")))
        watch = self.channel.unary_stream("/inventory.v1.Inventory/Watch")
        items = list(watch(b"\x08\x03", timeout=target.PATIENCE))
        self.assertEqual([item[:3] for item in items], [message(name) for name in "012"])
        collect = self.channel.stream_unary("/inventory.v1.Inventory/Import")
        summary = collect(iter([message("a"), message("b")]), timeout=target.PATIENCE)
        self.assertEqual(summary, message("a") + message("b"))
        sync = self.channel.stream_stream("/inventory.v1.Inventory/Sync")
        self.assertEqual(
            list(sync(iter([message("a"), message("b")]), timeout=target.PATIENCE)), [message("a"), message("b")]
        )

    def test_metadata_travels_both_ways(self):
        get = self.channel.unary_unary("/inventory.v1.Inventory/Get")
        sent = [("tenant", "blue"), ("trace-bin", b"\x00\xff"), ("twice", "1"), ("twice", "2")]
        _, call = get.with_call(message("echo metadata"), metadata=sent, timeout=target.PATIENCE)
        leading = [(key, value) for key, value in call.initial_metadata() if key in ("tenant", "trace-bin", "twice")]
        self.assertCountEqual(leading, sent)
        trailing = dict(call.trailing_metadata())
        self.assertEqual(trailing["cost"], "3")
        self.assertEqual(trailing["cost-bin"], b"\x03\xfe")

    def test_statuses_arrive_whole(self):
        get = self.channel.unary_unary("/inventory.v1.Inventory/Get")
        for code in grpc.StatusCode:
            if code is grpc.StatusCode.OK:
                continue
            with self.assertRaises(grpc.RpcError) as failed:
                get(message(f"fail {code.value[0]}"), timeout=target.PATIENCE)
            error = failed.exception
            self.assertEqual((error.code(), error.details()), (code, "größer % ∞\n"))
            trailing = dict(error.trailing_metadata())
            self.assertEqual(trailing["grpc-status-details-bin"], b"\x00\xff")
            self.assertEqual(trailing["cost"], "3")

    def test_an_unknown_method_or_service_is_unimplemented(self):
        for path in ["/inventory.v1.Inventory/Burn", "/nobody.v1.Nobody/Get"]:
            with self.assertRaises(grpc.RpcError) as failed:
                self.channel.unary_unary(path)(b"", timeout=target.PATIENCE)
            self.assertEqual(failed.exception.code(), grpc.StatusCode.UNIMPLEMENTED)

    def test_an_oversized_message_costs_its_call_alone(self):
        get = self.channel.unary_unary("/inventory.v1.Inventory/Get")
        with self.assertRaises(grpc.RpcError) as failed:
            get(b"\x12\x80\x80\x80\x04" + bytes(8 << 20), timeout=target.PATIENCE)
        self.assertEqual(failed.exception.code(), grpc.StatusCode.RESOURCE_EXHAUSTED)
        self.assertTrue(get(message("anvil"), timeout=target.PATIENCE))

    def test_bytes_that_are_no_message_are_an_invalid_argument(self):
        get = self.channel.unary_unary("/inventory.v1.Inventory/Get")
        with self.assertRaises(grpc.RpcError) as failed:
            get(b"\x0a\x7f", timeout=target.PATIENCE)
        self.assertEqual(failed.exception.code(), grpc.StatusCode.INVALID_ARGUMENT)

    def test_gzip_travels_both_ways(self):
        get = self.channel.unary_unary("/inventory.v1.Inventory/Get")
        question = message("compression " + "x" * 100)
        for compression, expected in [(grpc.Compression.Gzip, b"gzip"), (None, b"none")]:
            answer = get(question, compression=compression, timeout=target.PATIENCE)
            self.assertTrue(answer.startswith(message(expected.decode() + " " + "x" * 100)), answer)
        sync = self.channel.stream_stream("/inventory.v1.Inventory/Sync")
        items = [message("a" * 100), message("b" * 100)]
        echoes = sync(iter(items), compression=grpc.Compression.Gzip, timeout=target.PATIENCE)
        self.assertEqual(list(echoes), items)

    def test_a_compression_that_is_not_known_is_refused_and_says_why(self):
        get = self.channel.unary_unary("/inventory.v1.Inventory/Get")
        with self.assertRaises(grpc.RpcError) as failed:
            get(message("x" * 100), compression=grpc.Compression.Deflate, timeout=target.PATIENCE)
        self.assertEqual(failed.exception.code(), grpc.StatusCode.UNIMPLEMENTED)
        self.assertIn("deflate", failed.exception.details())
        self.assertIn("gzip", failed.exception.details())

    def test_a_deadline_is_kept_and_the_handler_knows_it(self):
        get = self.channel.unary_unary("/inventory.v1.Inventory/Get")
        with self.assertRaises(grpc.RpcError) as failed:
            get(message("wait"), timeout=0.2)
        self.assertEqual(failed.exception.code(), grpc.StatusCode.DEADLINE_EXCEEDED)
        answer = get(message("time left"), timeout=100)
        left = int(answer[2 : 2 + answer[1]])
        self.assertTrue(90 <= left <= 100, left)

    def test_a_panic_is_internal_and_the_connection_goes_on(self):
        get = self.channel.unary_unary("/inventory.v1.Inventory/Get")
        with self.assertRaises(grpc.RpcError) as failed:
            get(message("panic"), timeout=target.PATIENCE)
        self.assertEqual(failed.exception.code(), grpc.StatusCode.INTERNAL)
        self.assertTrue(get(message("anvil"), timeout=target.PATIENCE))


if __name__ == "__main__":
    unittest.main()
