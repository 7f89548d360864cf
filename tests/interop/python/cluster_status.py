"""polywire.status.v1.Status of a cluster, by grpcio."""

import unittest

import grpc

import members
import target

status, services = members.built_in("polywire/status/v1/status.proto")

NAME = "polywire.status.v1.Status/"


def standing(seen):
    return members.without(seen, "nodes.last_contact_ms", "nodes.replication_lag")


class Status(unittest.TestCase):
    def setUp(self):
        self.stubs = [services.StatusStub(members.connect(self, place)) for place in members.ALL]

    def own(self, place):
        return self.stubs[place].GetRaftStatus(status.GetRaftStatusRequest(), timeout=target.PATIENCE)

    def test_every_member_tells_how_the_leader_sees_the_cluster(self):
        ids = [self.own(place).node_id for place in members.ALL]
        request = status.GetClusterStatusRequest()
        for place, stub in enumerate(self.stubs):
            seen = members.eventually(
                lambda: stub.GetClusterStatus(request, timeout=target.PATIENCE),
                lambda told: told.seen_by == told.leader_id and all(node.replication_lag == 0 for node in told.nodes),
            )
            self.assertEqual([node.id for node in seen.nodes], sorted(ids))
            self.assertIn(seen.leader_id, ids)
            self.assertEqual(seen.seen_by, seen.leader_id)
            self.assertGreater(seen.term, 0)
            for node in seen.nodes:
                own = ids.index(node.id)
                leads = node.id == seen.leader_id
                self.assertEqual(node.role, status.ROLE_LEADER if leads else status.ROLE_FOLLOWER)
                self.assertEqual(node.HasField("last_contact_ms"), not leads)
                self.assertEqual(node.replication_lag, 0)
                self.assertEqual(node.grpc_address, target.MEMBERS[own])
                self.assertEqual(node.iroh_endpoint_id, target.MEMBERS_KEYS[own])
                hints = "&".join(f"addr={address}" for address in node.iroh_direct_addresses)
                self.assertEqual(f"iroh://{node.iroh_endpoint_id}?{hints}", target.MEMBERS_IROH[own])
                self.assertEqual(node.iroh_relay_url, "")
            members.assert_same_over_iroh(
                self, place, stub.GetClusterStatus, NAME + "GetClusterStatus", request, standing
            )

    def test_each_member_tells_how_consensus_is_with_it(self):
        all_of_them = [self.own(place) for place in members.ALL]
        voters = sorted(own.node_id for own in all_of_them)
        for place, own in enumerate(all_of_them):
            leads = own.node_id == own.leader_id
            self.assertEqual(own.state, status.ROLE_LEADER if leads else status.ROLE_FOLLOWER)
            self.assertEqual((own.leader_id, own.term), (all_of_them[0].leader_id, all_of_them[0].term))
            self.assertEqual((list(own.voters), list(own.learners)), (voters, []))
            self.assertGreater(own.committed.index, 0)
            self.assertLessEqual(own.applied.index, own.committed.index)
            self.assertLessEqual(own.committed.index, own.last_log_index)
            # Eight times the election timeout.
            self.assertTrue(own.HasField("quorum_age_ms") and own.quorum_age_ms <= 2_400)
            self.assertEqual((own.HasField("snapshot"), own.HasField("purged"), own.failure), (False, False, ""))
            members.assert_same_over_iroh(
                self,
                place,
                self.stubs[place].GetRaftStatus,
                NAME + "GetRaftStatus",
                status.GetRaftStatusRequest(),
                lambda answer: members.without(answer, "quorum_age_ms"),
            )
        self.assertEqual([own.state for own in all_of_them].count(status.ROLE_LEADER), 1)

    def test_a_watcher_is_told_how_it_is_now_and_stays(self):
        for place, stub in enumerate(self.stubs):
            watch = stub.WatchCluster(status.WatchClusterRequest())
            first = next(watch)
            self.assertEqual(first.seen_by, self.own(place).node_id)
            self.assertEqual(sorted(node.grpc_address for node in first.nodes), sorted(target.MEMBERS))
            request = status.WatchClusterRequest()
            (over,) = members.stream_over_iroh(place, NAME + "WatchCluster", request, status.ClusterStatus, 1)
            self.assertEqual(standing(over), standing(first))
            self.assertTrue(watch.is_active())
            watch.cancel()
            with self.assertRaises(grpc.RpcError) as ended:
                next(watch)
            self.assertEqual(ended.exception.code(), grpc.StatusCode.CANCELLED)


if __name__ == "__main__":
    unittest.main()
