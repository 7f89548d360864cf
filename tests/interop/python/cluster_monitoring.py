"""polywire.monitoring.v1.Monitoring and polywire.health.v1.Health of a cluster, by grpcio."""

import os
import shutil
import socket
import time
import unittest

import grpc
from prometheus_client.parser import text_string_to_metric_families as parse

import members
import target

monitoring, services = members.built_in("polywire/monitoring/v1/monitoring.proto")
health, health_services = members.built_in("polywire/health/v1/health.proto")
status, status_services = members.built_in("polywire/status/v1/status.proto")

NAME = "polywire.monitoring.v1.Monitoring/"


def series(answer):
    """All series of the node's own, by name and labels. What Iroh says of its paths comes and goes with them."""
    samples = [sample for family in parse(answer.text) for sample in family.samples]
    own = [
        sample
        for sample in samples
        if sample.name.startswith("polywire_") and not sample.name.startswith("polywire_iroh_")
    ]
    return {(sample.name, *sorted(sample.labels.items())) for sample in own}


def memory():
    with open("/proc/meminfo") as lines:
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemTotal:"))


def lasting(info):
    moving = ["resident_bytes", "open_files", "uptime_seconds", "cpu_percent"]
    return members.without(
        info,
        *["cpu_percent", "memory_used_bytes", "load_average", "uptime_seconds", "data_disk.available_bytes", "network"],
        *[f"process.{field}" for field in moving],
    )


class Monitoring(unittest.TestCase):
    def setUp(self):
        self.channels = [members.connect(self, place) for place in members.ALL]
        self.stubs = [services.MonitoringStub(channel) for channel in self.channels]

    def test_the_metrics_are_those_of_the_node(self):
        for place, stub in enumerate(self.stubs):
            request = monitoring.GetMetricsRequest()
            stub.GetMetrics(request, timeout=target.PATIENCE)
            answer = stub.GetMetrics(request, timeout=target.PATIENCE)
            labels = dict(service="polywire.monitoring.v1.Monitoring", method="GetMetrics", transport="grpc", code="OK")
            self.assertIn(("polywire_server_calls_total", *sorted(labels.items())), series(answer))
            members.assert_same_over_iroh(self, place, stub.GetMetrics, NAME + "GetMetrics", request, series)

    def test_the_machine_is_this_one_and_the_process_is_the_nodes(self):
        for place, stub in enumerate(self.stubs):
            request = monitoring.GetSystemInfoRequest()
            info = stub.GetSystemInfo(request, timeout=target.PATIENCE)
            self.assertEqual(info.host_name, socket.gethostname())
            self.assertEqual(info.processors, os.cpu_count())
            self.assertEqual(info.memory_total_bytes, memory())
            self.assertTrue(0 < info.memory_used_bytes < info.memory_total_bytes, info)
            disk = shutil.disk_usage(target.MEMBERS_DATA[place])
            self.assertEqual(info.data_disk.total_bytes, disk.total)
            self.assertTrue(0 < info.data_disk.available_bytes <= disk.total, info)
            process = info.process
            self.assertEqual(process.pid, target.MEMBERS_PIDS[place])
            self.assertLess(process.open_files, process.max_open_files)
            self.assertGreaterEqual(process.open_files, 3)
            self.assertLess(process.uptime_seconds, info.uptime_seconds)
            self.assertGreater(process.resident_bytes, 1 << 20)
            members.assert_same_over_iroh(self, place, stub.GetSystemInfo, NAME + "GetSystemInfo", request, lasting)

    def test_everybody_reaches_everybody_and_all_is_well(self):
        own = [
            status_services.StatusStub(channel).GetRaftStatus(status.GetRaftStatusRequest(), timeout=target.PATIENCE)
            for channel in self.channels
        ]
        for place, stub in enumerate(self.stubs):
            request = monitoring.GetClusterHealthRequest()
            answer = members.eventually(
                lambda: stub.GetClusterHealth(request, timeout=target.PATIENCE),
                lambda told: told.healthy and all(peer.reachable for peer in told.peers),
            )
            self.assertTrue(answer.healthy, answer)
            self.assertEqual(list(answer.reasons), [])
            others = sorted(other.node_id for other in own if other.node_id != own[place].node_id)
            self.assertEqual([peer.id for peer in answer.peers], others)
            for peer in answer.peers:
                self.assertEqual((peer.reachable, peer.transport, list(peer.errors)), (True, "grpc", []))
                self.assertGreater(peer.round_trip_us, 0)
                self.assertEqual([(way.transport, way.reachable) for way in peer.ways], [("grpc", True), ("iroh", True)])
                for way in peer.ways:
                    self.assertGreater(way.round_trip_us, 0)
                    self.assertFalse(way.path.relayed)
                    self.assertIn(way.path.remote, way.target)
            moving = ["round_trip_us", "last_contact_ms"]
            of_ways = ["round_trip_us", "last_contact_ms", "path.round_trip_us", "last_error_ms"]
            paths = [f"peers.{field}" for field in moving] + [f"peers.ways.{field}" for field in of_ways]
            steady = lambda told: members.without(told, *paths)
            members.assert_same_over_iroh(
                self, place, stub.GetClusterHealth, NAME + "GetClusterHealth", request, steady
            )

    def test_the_vital_signs_come_as_often_as_they_were_asked_for(self):
        for place, stub in enumerate(self.stubs):
            request = monitoring.WatchVitalsRequest(interval_ms=100)
            begun = time.time()
            watch = stub.WatchVitals(request)
            told = [next(watch) for _ in range(5)]
            watch.cancel()
            # The clocks are one and the same. One that comes late is followed by one in its own time.
            self.assertGreaterEqual(told[0].unix_ms, int(begun * 1000))
            self.assertGreaterEqual(told[-1].unix_ms - told[0].unix_ms, 100)
            over = members.stream_over_iroh(place, NAME + "WatchVitals", request, monitoring.Vitals, 2)
            self.assertGreater(over[1].unix_ms, over[0].unix_ms)
            for vitals in told + over:
                self.assertEqual(vitals.process.pid, target.MEMBERS_PIDS[place])
                self.assertGreaterEqual(vitals.calls_in_flight, 1)
                self.assertGreaterEqual(vitals.connections, 1)

    def test_an_interval_out_of_bounds_is_refused_over_both_transports(self):
        for interval in [99, 3_600_001]:
            request = monitoring.WatchVitalsRequest(interval_ms=interval)
            with self.assertRaises(grpc.RpcError) as refused:
                next(self.stubs[0].WatchVitals(request, timeout=target.PATIENCE))
            self.assertEqual(refused.exception.code(), grpc.StatusCode.INVALID_ARGUMENT)
            expected = f"expected an interval of 100 to 3600000 ms, found {interval}"
            self.assertEqual(refused.exception.details(), expected)
            code, said = members.refused_over_iroh(0, NAME + "WatchVitals", request)
            self.assertEqual(code, grpc.StatusCode.INVALID_ARGUMENT.value[0])
            self.assertIn(expected, said)


class Health(unittest.TestCase):
    def test_every_part_of_every_member_is_well(self):
        for place in members.ALL:
            stub = health_services.HealthStub(members.connect(self, place))
            request = health.DetailRequest()
            detail = members.eventually(
                lambda: stub.Detail(request, timeout=target.PATIENCE), lambda told: told.serving
            )
            self.assertEqual((detail.serving, detail.state), (True, health.STATE_SERVING))
            self.assertEqual([part.name for part in detail.components], ["data directory", "peers", "raft", "storage"])
            self.assertEqual([(part.ok, part.reason) for part in detail.components], [(True, "")] * 4)
            self.assertEqual((list(detail.reasons), list(detail.failing_services)), ([], []))
            members.assert_same_over_iroh(
                self, place, stub.Detail, "polywire.health.v1.Health/Detail", request, lambda answer: answer
            )


if __name__ == "__main__":
    unittest.main()
