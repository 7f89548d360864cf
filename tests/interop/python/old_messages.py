"""The messages of clients that are older than polywire, as those have them: by name, number and type."""

from google.protobuf import descriptor_pb2, message_factory
from google.protobuf.descriptor_pool import DescriptorPool

Field = descriptor_pb2.FieldDescriptorProto

BOOL, STRING, UINT64 = Field.TYPE_BOOL, Field.TYPE_STRING, Field.TYPE_UINT64


def declare(file, name, *fields):
    message = file.message_type.add(name=name)
    for number, (field, kind, *repeated) in enumerate(fields, 1):
        label = Field.LABEL_REPEATED if repeated else Field.LABEL_OPTIONAL
        declared = message.field.add(name=field, number=number, label=label)
        if isinstance(kind, int):
            declared.type = kind
        else:
            declared.type_name = kind


def messages():
    file = descriptor_pb2.FileDescriptorProto(name="old.proto", package="old", syntax="proto3")
    declare(file, "Empty")
    declare(file, "Health", ("healthy", BOOL), ("message", STRING))
    state = file.enum_type.add(name="State")
    for number, name in enumerate(["UNKNOWN", "FOLLOWER", "CANDIDATE", "LEADER"]):
        state.value.add(name=name, number=number)
    declare(
        file,
        "Node",
        ("id", UINT64),
        ("address", STRING),
        ("state", ".old.State"),
        ("p2p_node_id", STRING),
        ("p2p_addresses", STRING, "repeated"),
        ("p2p_relay_url", STRING),
    )
    declare(file, "Cluster", ("leader_id", UINT64), ("nodes", ".old.Node", "repeated"), ("term", UINT64))
    declare(
        file,
        "Raft",
        ("is_leader", BOOL),
        ("node_id", UINT64),
        ("leader_id", UINT64),
        ("term", UINT64),
        ("state", STRING),
    )
    pool = DescriptorPool()
    pool.Add(file)
    return [
        message_factory.GetMessageClass(pool.FindMessageTypeByName(f"old.{name}"))
        for name in ["Empty", "Health", "Cluster", "Raft"]
    ]


Empty, Health, Cluster, Raft = messages()

UNKNOWN, FOLLOWER, CANDIDATE, LEADER = range(4)

METHODS = {
    "blixard.ClusterService/HealthCheck": Health,
    "blixard.ClusterService/GetClusterStatus": Cluster,
    "blixard.BlixardService/GetRaftStatus": Raft,
}


def call(channel, method, timeout):
    """Calls a method that takes nothing."""
    stub = channel.unary_unary(
        f"/{method}",
        request_serializer=Empty.SerializeToString,
        response_deserializer=METHODS[method].FromString,
    )
    return stub(Empty(), timeout=timeout)
