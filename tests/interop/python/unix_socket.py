"""A node's Unix socket, by plain grpcio: `unix:/path`, which is HTTP/2 in plaintext."""

import unittest

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

import target
from reflection import OverV1


class UnixSocket(unittest.TestCase):
    def setUp(self):
        self.channel = target.connect(target.SOCKET)
        self.addCleanup(self.channel.close)

    def test_the_node_is_healthy(self):
        stub = health_pb2_grpc.HealthStub(self.channel)
        answer = stub.Check(health_pb2.HealthCheckRequest(), timeout=target.PATIENCE)
        self.assertEqual(answer.status, health_pb2.HealthCheckResponse.SERVING)

    def test_a_stream_is_answered(self):
        stub = health_pb2_grpc.HealthStub(self.channel)
        watch = stub.Watch(health_pb2.HealthCheckRequest(), timeout=target.PATIENCE)
        self.assertEqual(next(watch).status, health_pb2.HealthCheckResponse.SERVING)
        watch.cancel()

    def test_reflection_lists_what_is_served(self):
        services = OverV1(self.channel).get_services()
        self.assertIn("grpc.health.v1.Health", services)

    def test_an_unknown_method_is_unimplemented(self):
        with self.assertRaises(grpc.RpcError) as failed:
            self.channel.unary_unary("/nobody.v1.Nobody/Get")(b"", timeout=target.PATIENCE)
        self.assertEqual(failed.exception.code(), grpc.StatusCode.UNIMPLEMENTED)


if __name__ == "__main__":
    unittest.main()
