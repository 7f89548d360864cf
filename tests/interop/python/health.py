"""The standard health service, by grpcio-health-checking."""

import threading
import unittest

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

import target

Request = health_pb2.HealthCheckRequest
SERVING = health_pb2.HealthCheckResponse.SERVING
SERVICE_UNKNOWN = health_pb2.HealthCheckResponse.SERVICE_UNKNOWN


class Health(unittest.TestCase):
    def setUp(self):
        self.channel = target.connect(target.NODE)
        self.addCleanup(self.channel.close)
        self.stub = health_pb2_grpc.HealthStub(self.channel)

    def test_check_says_how_the_node_and_each_service_is(self):
        for service in ["", "grpc.health.v1.Health", "grpc.reflection.v1.ServerReflection"]:
            answer = self.stub.Check(Request(service=service), timeout=target.PATIENCE)
            self.assertEqual(answer.status, SERVING, service)

    def test_check_of_an_unknown_service_is_not_found(self):
        with self.assertRaises(grpc.RpcError) as failed:
            self.stub.Check(Request(service="nobody"), timeout=target.PATIENCE)
        self.assertEqual(failed.exception.code(), grpc.StatusCode.NOT_FOUND)
        self.assertIn("nobody", failed.exception.details())

    def test_list_says_how_everything_is(self):
        statuses = self.stub.List(health_pb2.HealthListRequest(), timeout=target.PATIENCE).statuses
        self.assertEqual(statuses[""].status, SERVING)
        self.assertEqual(statuses["grpc.health.v1.Health"].status, SERVING)

    def test_watch_says_how_it_is_now_and_stays_open_until_it_is_cancelled(self):
        for service, expected in [("", SERVING), ("nobody", SERVICE_UNKNOWN)]:
            watch = self.stub.Watch(Request(service=service))
            self.assertEqual(next(watch).status, expected)
            self.assertTrue(watch.is_active())
            threading.Timer(0.2, watch.cancel).start()
            with self.assertRaises(grpc.RpcError) as ended:
                next(watch)
            self.assertEqual(ended.exception.code(), grpc.StatusCode.CANCELLED)

    def test_a_deadline_ends_a_watch(self):
        watch = self.stub.Watch(Request(), timeout=0.3)
        self.assertEqual(next(watch).status, SERVING)
        with self.assertRaises(grpc.RpcError) as ended:
            next(watch)
        self.assertEqual(ended.exception.code(), grpc.StatusCode.DEADLINE_EXCEEDED)

    def test_calls_may_be_made_from_many_threads_on_one_connection(self):
        failures = []

        def check():
            for _ in range(50):
                answer = self.stub.Check(Request(), timeout=target.PATIENCE)
                if answer.status != SERVING:
                    failures.append(answer)

        threads = [threading.Thread(target=check) for _ in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(failures, [])


if __name__ == "__main__":
    unittest.main()
