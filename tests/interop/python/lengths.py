"""Long paths and long statuses, by grpcio, which refuses by chance what is over its soft limit on metadata."""

import unittest

import grpc

import target

TIMES = 100
LONG = 9_500


def message(name):
    """A message whose field 1 is this string of less than 128 bytes, in protobuf."""
    return b"\x0a" + bytes([len(name)]) + name.encode()


class Lengths(unittest.TestCase):
    def setUp(self):
        self.channel = target.connect(target.SHOP)
        self.addCleanup(self.channel.close)

    def codes(self, path, request, code):
        """Asserts that each of many calls fails with this code; the last error."""
        call = self.channel.unary_unary(path)
        codes = []
        for _ in range(TIMES):
            with self.assertRaises(grpc.RpcError) as failed:
                call(request, timeout=target.PATIENCE)
            codes.append(failed.exception.code())
        self.assertEqual(codes, [code] * TIMES)
        return failed.exception

    def test_a_long_path_is_unimplemented(self):
        for path in ["/" + "a" * LONG, "/a.A/" + "a" * LONG, "/inventory.v1.Inventory/" + "a" * LONG]:
            self.codes(path, b"", grpc.StatusCode.UNIMPLEMENTED)

    def test_a_long_message_costs_its_own_end(self):
        error = self.codes("/inventory.v1.Inventory/Get", message(f"long {LONG} 0"), grpc.StatusCode.ABORTED)
        self.assertTrue(error.details().startswith("mmmm"), error.details())
        self.assertGreater(len(error.details()), 4_000)

    def test_a_long_message_does_not_cost_the_details(self):
        error = self.codes("/inventory.v1.Inventory/Get", message(f"long {LONG} 3000"), grpc.StatusCode.ABORTED)
        self.assertEqual(dict(error.trailing_metadata())["grpc-status-details-bin"], b"\x07" * 3_000)

    def test_details_that_are_too_long_are_left_out(self):
        error = self.codes("/inventory.v1.Inventory/Get", message(f"long 100 {LONG}"), grpc.StatusCode.ABORTED)
        self.assertNotIn("grpc-status-details-bin", dict(error.trailing_metadata()))
        self.assertIn("left out", error.details())

    def test_heavy_metadata_before_and_behind_an_answer_arrive(self):
        get = self.channel.unary_unary("/inventory.v1.Inventory/Get")
        for _ in range(TIMES):
            _, call = get.with_call(message("heavy 7000"), timeout=target.PATIENCE)
            for metadata in [call.initial_metadata(), call.trailing_metadata()]:
                self.assertEqual(len(dict(metadata)["heavy"]), 7_000)
        self.codes("/inventory.v1.Inventory/Get", message("heavy 9000"), grpc.StatusCode.RESOURCE_EXHAUSTED)


if __name__ == "__main__":
    unittest.main()
