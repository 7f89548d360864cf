"""A token in the metadata of plain grpcio: what it allows, and what is refused without it."""

import os
import unittest

import grpc

import target

TOKEN = os.environ["POLYWIRE_TOKEN"]
TOKEN_ONCE = os.environ["POLYWIRE_TOKEN_ONCE"]

# {"key": "none"}
KEY = b"\x0a\x04none"


def bearer(token):
    return [("authorization", f"Bearer {token}")]


class Tokens(unittest.TestCase):
    def setUp(self):
        self.channel = target.connect(target.NODE)
        self.addCleanup(self.channel.close)

    def outcome(self, method, metadata, request=KEY):
        call = self.channel.unary_unary(f"/polywire.kv.v1.Kv/{method}")
        try:
            call(request, metadata=metadata, timeout=target.PATIENCE)
        except grpc.RpcError as error:
            return error.code()
        return grpc.StatusCode.OK

    def test_without_a_token_nothing_but_health_is_answered(self):
        self.assertEqual(self.outcome("Get", None), grpc.StatusCode.UNAUTHENTICATED)
        check = self.channel.unary_unary("/grpc.health.v1.Health/Check")
        self.assertEqual(check(b"", timeout=target.PATIENCE), b"\x08\x01")

    def test_a_token_allows_its_method_and_no_other(self):
        self.assertEqual(self.outcome("Get", bearer(TOKEN)), grpc.StatusCode.NOT_FOUND)
        self.assertEqual(self.outcome("Put", bearer(TOKEN)), grpc.StatusCode.PERMISSION_DENIED)

    def test_the_scheme_may_be_written_in_small_letters(self):
        self.assertEqual(self.outcome("Get", [("authorization", f"bearer {TOKEN}")]), grpc.StatusCode.NOT_FOUND)

    def test_a_damaged_token_is_refused(self):
        for damaged in (TOKEN[:-1], TOKEN[:200], "pwt_", "pwt_" + "A" * 4000, TOKEN.swapcase()):
            self.assertEqual(self.outcome("Get", bearer(damaged)), grpc.StatusCode.UNAUTHENTICATED, damaged)

    def test_a_use_is_one_call(self):
        written = b"\x0a\x04once"
        self.assertEqual(self.outcome("Put", bearer(TOKEN_ONCE), written), grpc.StatusCode.OK)
        self.assertEqual(self.outcome("Put", bearer(TOKEN_ONCE), written), grpc.StatusCode.UNAUTHENTICATED)


if __name__ == "__main__":
    unittest.main()
