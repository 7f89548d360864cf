"""The gRPC project's interoperability cases, by Python's grpcio, against a server at an address."""

import os
import queue
import time
import unittest

import grpc

from interop_messages import (
    INITIAL,
    LARGE_REQUEST,
    LARGE_RESPONSE,
    REQUEST_SIZES,
    RESPONSE_SIZES,
    TRAILING,
    Empty,
    answers,
    messages,
    services,
    zeros,
)

ADDRESS = os.environ["POLYWIRE_INTEROP_ADDRESS"]
# The authority to trust under TLS; plaintext without.
AUTHORITY = os.environ.get("POLYWIRE_INTEROP_CA")
PATIENCE = 30


def connect():
    if AUTHORITY is None:
        return grpc.insecure_channel(ADDRESS)
    with open(AUTHORITY, "rb") as file:
        return grpc.secure_channel(ADDRESS, grpc.ssl_channel_credentials(file.read()))


class Requests:
    """Requests of a stream that stays open until it is closed."""

    def __init__(self):
        self.queue = queue.Queue()

    def send(self, request):
        self.queue.put(request)

    def close(self):
        self.queue.put(None)

    def __iter__(self):
        return iter(self.queue.get, None)


class Interop(unittest.TestCase):
    def setUp(self):
        channel = connect()
        self.addCleanup(channel.close)
        self.stub = services.TestServiceStub(channel)
        self.unimplemented = services.UnimplementedServiceStub(channel)

    def assert_zeros(self, size, payload):
        self.assertEqual(payload.body, bytes(size))

    def assert_fails(self, code, call):
        with self.assertRaises(grpc.RpcError) as failed:
            call()
        self.assertEqual(failed.exception.code(), code, failed.exception.details())
        return failed.exception

    def large_request(self, **fields):
        return messages.SimpleRequest(response_size=LARGE_RESPONSE, payload=zeros(LARGE_REQUEST), **fields)

    def output_request(self, size, *answer_sizes):
        return messages.StreamingOutputCallRequest(
            response_parameters=answers(*answer_sizes), payload=zeros(size)
        )

    def test_empty_unary(self):
        self.assertEqual(self.stub.EmptyCall(Empty(), timeout=PATIENCE), Empty())

    def test_large_unary(self):
        response = self.stub.UnaryCall(self.large_request(), timeout=PATIENCE)
        self.assert_zeros(LARGE_RESPONSE, response.payload)

    def test_cacheable_unary(self):
        request = messages.SimpleRequest(payload=messages.Payload(body=str(time.time_ns()).encode()))
        response, call = self.stub.CacheableUnaryCall.with_call(request, timeout=PATIENCE)
        self.assertTrue(response.payload.body.isdigit(), response)
        self.assertIn("max-age=60", dict(call.initial_metadata())["cache-control"])

    def test_client_streaming(self):
        requests = (messages.StreamingInputCallRequest(payload=zeros(size)) for size in REQUEST_SIZES)
        response = self.stub.StreamingInputCall(requests, timeout=PATIENCE)
        self.assertEqual(response.aggregated_payload_size, 74922)

    def test_server_streaming(self):
        request = messages.StreamingOutputCallRequest(response_parameters=answers(*RESPONSE_SIZES))
        responses = list(self.stub.StreamingOutputCall(request, timeout=PATIENCE))
        self.assertEqual([len(response.payload.body) for response in responses], RESPONSE_SIZES)

    def test_ping_pong(self):
        requests = Requests()
        self.addCleanup(requests.close)
        responses = self.stub.FullDuplexCall(iter(requests), timeout=PATIENCE)
        for request_size, response_size in zip(REQUEST_SIZES, RESPONSE_SIZES):
            requests.send(self.output_request(request_size, response_size))
            self.assert_zeros(response_size, next(responses).payload)
        requests.close()
        self.assertEqual(list(responses), [])

    def test_half_duplex(self):
        requests = [self.output_request(*sizes) for sizes in zip(REQUEST_SIZES, RESPONSE_SIZES)]
        responses = list(self.stub.HalfDuplexCall(iter(requests), timeout=PATIENCE))
        self.assertEqual([len(response.payload.body) for response in responses], RESPONSE_SIZES)

    def test_empty_stream(self):
        self.assertEqual(list(self.stub.FullDuplexCall(iter([]), timeout=PATIENCE)), [])

    def test_timeout_on_sleeping_server(self):
        requests = Requests()
        self.addCleanup(requests.close)
        requests.send(self.output_request(REQUEST_SIZES[0]))
        responses = self.stub.FullDuplexCall(iter(requests), timeout=0.001)
        self.assert_fails(grpc.StatusCode.DEADLINE_EXCEEDED, lambda: next(responses))

    def test_cancel_after_begin(self):
        requests = Requests()
        self.addCleanup(requests.close)
        call = self.stub.StreamingInputCall.future(iter(requests), timeout=PATIENCE)
        call.cancel()
        self.assertTrue(call.cancelled())
        self.assertEqual(call.code(), grpc.StatusCode.CANCELLED)

    def test_cancel_after_first_response(self):
        requests = Requests()
        self.addCleanup(requests.close)
        requests.send(self.output_request(REQUEST_SIZES[0], RESPONSE_SIZES[0]))
        responses = self.stub.FullDuplexCall(iter(requests), timeout=PATIENCE)
        self.assert_zeros(RESPONSE_SIZES[0], next(responses).payload)
        responses.cancel()
        self.assert_fails(grpc.StatusCode.CANCELLED, lambda: next(responses))

    def assert_status_echoed(self, message, *calls):
        asked = messages.EchoStatus(code=2, message=message)
        for call in calls:
            error = self.assert_fails(grpc.StatusCode.UNKNOWN, lambda: call(asked))
            self.assertEqual(error.details(), message)

    def echo_by_unary(self, status):
        self.stub.UnaryCall(messages.SimpleRequest(response_status=status), timeout=PATIENCE)

    def echo_by_stream(self, status):
        request = messages.StreamingOutputCallRequest(response_status=status)
        list(self.stub.FullDuplexCall(iter([request]), timeout=PATIENCE))

    def test_status_code_and_message(self):
        self.assert_status_echoed("test status message", self.echo_by_unary, self.echo_by_stream)

    def test_special_status_message(self):
        message = "\t\ntest with whitespace\r\nand Unicode BMP ☺ and non-BMP 😈\t\n"
        self.assert_status_echoed(message, self.echo_by_unary)

    def test_unimplemented_method(self):
        call = lambda: self.stub.UnimplementedCall(Empty(), timeout=PATIENCE)
        self.assert_fails(grpc.StatusCode.UNIMPLEMENTED, call)

    def test_unimplemented_service(self):
        call = lambda: self.unimplemented.UnimplementedCall(Empty(), timeout=PATIENCE)
        self.assert_fails(grpc.StatusCode.UNIMPLEMENTED, call)

    def test_custom_metadata(self):
        initial, trailing = (INITIAL, "test_initial_metadata_value"), (TRAILING, b"\xab\xab\xab")
        options = {"metadata": [initial, trailing], "timeout": PATIENCE}
        _, unary = self.stub.UnaryCall.with_call(self.large_request(), **options)
        stream = self.stub.FullDuplexCall(
            iter([self.output_request(LARGE_REQUEST, LARGE_RESPONSE)]), **options
        )
        self.assertEqual(len(list(stream)), 1)
        for call in [unary, stream]:
            self.assertIn(initial, call.initial_metadata())
            self.assertIn(trailing, call.trailing_metadata())

    def test_client_compressed_unary(self):
        claims = lambda value: self.large_request(expect_compressed=messages.BoolValue(value=value))
        plain = {"timeout": PATIENCE, "compression": grpc.Compression.NoCompression}
        gzip = {"timeout": PATIENCE, "compression": grpc.Compression.Gzip}
        self.assert_fails(
            grpc.StatusCode.INVALID_ARGUMENT, lambda: self.stub.UnaryCall(claims(True), **plain)
        )
        for value, options in [(True, gzip), (False, plain)]:
            response = self.stub.UnaryCall(claims(value), **options)
            self.assert_zeros(LARGE_RESPONSE, response.payload)

    # grpcio takes grpc-encoding out of the metadata and does not say how an answer came: here only its content is
    # checked. That it came compressed is checked by our client, and by grpc-js's by the bytes that it took.
    def test_server_compressed_unary(self):
        for value in [True, False]:
            request = self.large_request(response_compressed=messages.BoolValue(value=value))
            response = self.stub.UnaryCall(request, timeout=PATIENCE)
            self.assert_zeros(LARGE_RESPONSE, response.payload)

    def test_client_compressed_streaming(self):
        # grpcio compresses all requests of a call or none.
        claims = lambda *sizes: iter(
            messages.StreamingInputCallRequest(
                payload=zeros(size), expect_compressed=messages.BoolValue(value=True)
            )
            for size in sizes
        )
        self.assert_fails(
            grpc.StatusCode.INVALID_ARGUMENT,
            lambda: self.stub.StreamingInputCall(claims(27182), timeout=PATIENCE),
        )
        response = self.stub.StreamingInputCall(
            claims(27182, 45904), timeout=PATIENCE, compression=grpc.Compression.Gzip
        )
        self.assertEqual(response.aggregated_payload_size, 73086)

    def test_server_compressed_streaming(self):
        parameters = [
            messages.ResponseParameters(size=size, compressed=messages.BoolValue(value=value))
            for size, value in [(31415, True), (92653, False)]
        ]
        request = messages.StreamingOutputCallRequest(response_parameters=parameters)
        responses = list(self.stub.StreamingOutputCall(request, timeout=PATIENCE))
        self.assertEqual([len(response.payload.body) for response in responses], [31415, 92653])


if __name__ == "__main__":
    unittest.main()
