"""The three methods of clients that are older than polywire, by grpcio with such a client's own messages."""

import unittest

import grpc
from google.protobuf.unknown_fields import UnknownFieldSet

import members
import old_messages as old
import target

status, services = members.built_in("polywire/status/v1/status.proto")

HEALTH, CLUSTER, RAFT = old.METHODS


class OldNames(unittest.TestCase):
    def setUp(self):
        self.channels = [members.connect(self, place) for place in members.ALL]

    def call(self, place, method):
        answer = old.call(self.channels[place], method, target.PATIENCE)
        self.assertEqual(len(UnknownFieldSet(answer)), 0, "there is nothing that the old client does not know")
        return answer

    def assert_same_over_iroh(self, place, method):
        def call(_, timeout):
            return old.call(self.channels[place], method, timeout)

        members.assert_same_over_iroh(self, place, call, method, old.Empty(), lambda answer: answer)

    def test_health_check_says_that_every_member_is_well(self):
        for place in members.ALL:
            answer = self.call(place, HEALTH)
            self.assertEqual((answer.healthy, answer.message), (True, "serving"))
            self.assert_same_over_iroh(place, HEALTH)

    def test_get_cluster_status_says_what_the_status_of_today_says(self):
        for place in members.ALL:
            stub = services.StatusStub(self.channels[place])
            today = stub.GetClusterStatus(status.GetClusterStatusRequest(), timeout=target.PATIENCE)
            answer = self.call(place, CLUSTER)
            self.assertEqual((answer.leader_id, answer.term), (today.leader_id, today.term))
            self.assertEqual(len(answer.nodes), len(target.MEMBERS))
            for then, now in zip(answer.nodes, today.nodes, strict=True):
                self.assertFalse(UnknownFieldSet(then))
                self.assertEqual(then.state, old.LEADER if then.id == answer.leader_id else old.FOLLOWER)
                self.assertEqual((then.id, then.address), (now.id, now.grpc_address))
                self.assertEqual(then.p2p_node_id, now.iroh_endpoint_id)
                self.assertEqual(list(then.p2p_addresses), list(now.iroh_direct_addresses))
                self.assertEqual(then.p2p_relay_url, now.iroh_relay_url)
            addresses = {(node.address, node.p2p_node_id) for node in answer.nodes}
            self.assertEqual(addresses, set(zip(target.MEMBERS, target.MEMBERS_KEYS, strict=True)))
            self.assert_same_over_iroh(place, CLUSTER)

    def test_get_raft_status_says_what_each_member_does(self):
        told = [self.call(place, RAFT) for place in members.ALL]
        self.assertEqual([answer.is_leader for answer in told].count(True), 1)
        self.assertEqual(len({answer.node_id for answer in told}), len(target.MEMBERS))
        for place, answer in enumerate(told):
            stub = services.StatusStub(self.channels[place])
            today = stub.GetRaftStatus(status.GetRaftStatusRequest(), timeout=target.PATIENCE)
            self.assertEqual((answer.node_id, answer.leader_id), (today.node_id, today.leader_id))
            self.assertEqual(answer.is_leader, answer.node_id == answer.leader_id)
            self.assertEqual(answer.state, "leader" if answer.is_leader else "follower")
            self.assertEqual(answer.term, today.term)
            self.assertGreater(answer.term, 0)
            self.assert_same_over_iroh(place, RAFT)


class WithoutThem(unittest.TestCase):
    def test_a_node_that_was_not_told_to_serve_them_does_not(self):
        channel = target.connect(target.NODE)
        self.addCleanup(channel.close)
        for method in old.METHODS:
            with self.assertRaises(grpc.RpcError) as refused:
                old.call(channel, method, target.PATIENCE)
            self.assertEqual(refused.exception.code(), grpc.StatusCode.UNIMPLEMENTED, method)


if __name__ == "__main__":
    unittest.main()
