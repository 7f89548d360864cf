"""The gRPC project's interoperability test service, by Python's grpcio, on a free port of loopback.

grpcio does not say how a request came, so expect_compressed is not looked at.
Prints one line of JSON once it listens: its target.
"""

import concurrent.futures
import json
import time

import grpc

from interop_messages import INITIAL, TRAILING, Empty, messages, services, zeros


class TestService(services.TestServiceServicer):
    def EmptyCall(self, request, context):
        return Empty()

    def UnaryCall(self, request, context):
        if request.response_compressed.value:
            context.set_compression(grpc.Compression.Gzip)
        echo_metadata(context)
        echo_status(request, context)
        return messages.SimpleResponse(payload=zeros(request.response_size))

    def CacheableUnaryCall(self, request, context):
        context.send_initial_metadata([("cache-control", "max-age=60, public")])
        return messages.SimpleResponse(payload=messages.Payload(body=str(time.time_ns()).encode()))

    def StreamingOutputCall(self, request, context):
        context.set_compression(grpc.Compression.Gzip)
        echo_metadata(context)
        yield from answers(request, context)

    def StreamingInputCall(self, requests, context):
        echo_metadata(context)
        size = sum(len(request.payload.body) for request in requests)
        return messages.StreamingInputCallResponse(aggregated_payload_size=size)

    def FullDuplexCall(self, requests, context):
        echo_metadata(context)
        for request in requests:
            yield from answers(request, context)

    def HalfDuplexCall(self, requests, context):
        echo_metadata(context)
        for request in list(requests):
            yield from answers(request, context)


def echo_metadata(context):
    received = context.invocation_metadata()
    context.send_initial_metadata([(key, value) for key, value in received if key == INITIAL])
    context.set_trailing_metadata([(key, value) for key, value in received if key == TRAILING])


def echo_status(request, context):
    asked = request.response_status
    if asked.code != 0:
        codes = {code.value[0]: code for code in grpc.StatusCode}
        context.abort(codes.get(asked.code, grpc.StatusCode.UNKNOWN), asked.message)


def answers(request, context):
    echo_status(request, context)
    for parameters in request.response_parameters:
        time.sleep(parameters.interval_us / 1_000_000)
        if not parameters.compressed.value:
            context.disable_next_message_compression()
        yield messages.StreamingOutputCallResponse(payload=zeros(parameters.size))


def main():
    server = grpc.server(concurrent.futures.ThreadPoolExecutor())
    services.add_TestServiceServicer_to_server(TestService(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    print(json.dumps({"grpc": f"grpc://127.0.0.1:{port}"}), flush=True)
    server.wait_for_termination()


if __name__ == "__main__":
    main()
