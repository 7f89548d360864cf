"""Server reflection, by grpcio-reflection: a client that knows nothing calls by what it is told, under both names."""

import unittest

from google.protobuf import message_factory
from google.protobuf.descriptor_pool import DescriptorPool
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase
from grpc_reflection.v1alpha import reflection_pb2

import target


class OverV1(ProtoReflectionDescriptorDatabase):
    """The package speaks v1alpha; the messages of v1 are the same."""

    def __init__(self, channel):
        super().__init__(channel)
        self._stub = Stub(channel)


class Stub:
    def __init__(self, channel):
        self.ServerReflectionInfo = channel.stream_stream(
            "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
            request_serializer=reflection_pb2.ServerReflectionRequest.SerializeToString,
            response_deserializer=reflection_pb2.ServerReflectionResponse.FromString,
        )


class Reflection(unittest.TestCase):
    database = OverV1

    def test_a_client_learns_a_service_and_calls_it(self):
        channel = target.connect(target.NODE)
        self.addCleanup(channel.close)
        database = self.database(channel)
        services = set(database.get_services())
        self.assertLessEqual(
            {
                "grpc.health.v1.Health",
                "grpc.reflection.v1.ServerReflection",
                "grpc.reflection.v1alpha.ServerReflection",
                "polywire.directory.v1.Directory",
            },
            services,
        )
        pool = DescriptorPool(database)
        check = pool.FindServiceByName("grpc.health.v1.Health").FindMethodByName("Check")
        request = message_factory.GetMessageClass(check.input_type)
        response = message_factory.GetMessageClass(check.output_type)
        call = channel.unary_unary(
            "/grpc.health.v1.Health/Check",
            request_serializer=request.SerializeToString,
            response_deserializer=response.FromString,
        )
        answer = call(request(service=""), timeout=target.PATIENCE)
        serving = check.output_type.enum_types_by_name["ServingStatus"].values_by_name["SERVING"]
        self.assertEqual(answer.status, serving.number)

    def test_every_service_that_is_named_is_described(self):
        channel = target.connect(target.NODE)
        self.addCleanup(channel.close)
        database = self.database(channel)
        pool = DescriptorPool(database)
        for service in database.get_services():
            self.assertTrue(pool.FindServiceByName(service).methods, service)


class OfThePackage(Reflection):
    """As the package is meant to be used."""

    database = ProtoReflectionDescriptorDatabase


if __name__ == "__main__":
    unittest.main()
