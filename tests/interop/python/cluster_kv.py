"""polywire.kv.v1.Kv of a cluster, by grpcio: what is written at one member is read at the others."""

import unittest

import grpc

import members
import target

kv, services = members.built_in("polywire/kv/v1/kv.proto")

NAME = "polywire.kv.v1.Kv/"


class Kv(unittest.TestCase):
    def setUp(self):
        self.stubs = [services.KvStub(members.connect(self, place)) for place in members.ALL]

    def at(self, turn):
        """One member after the other."""
        return self.stubs[turn % len(self.stubs)]

    def refused(self, call, request):
        with self.assertRaises(grpc.RpcError) as refused:
            call(request, timeout=target.PATIENCE)
        return refused.exception.code(), refused.exception.details()

    def test_what_is_put_at_one_is_got_and_listed_at_all(self):
        values = {f"list/{number}": bytes([number, 0, 255]) for number in range(5)}
        written = {}
        for turn, (key, value) in enumerate(values.items()):
            answer = self.at(turn).Put(kv.PutRequest(key=key, value=value), timeout=target.PATIENCE)
            self.assertFalse(answer.existed)
            written[key] = answer.revision
        self.assertEqual(sorted(written.values()), list(written.values()))
        for place, stub in enumerate(self.stubs):
            for key, value in values.items():
                request = kv.GetRequest(key=key)
                item = stub.Get(request, timeout=target.PATIENCE).item
                self.assertEqual((item.key, item.value), (key, value))
                self.assertEqual((item.revision, item.create_revision), (written[key], written[key]))
            members.assert_same_over_iroh(self, place, stub.Get, NAME + "Get", request, lambda answer: answer)
            request = kv.ListRequest(prefix="list/", after="list/1", limit=2)
            page = stub.List(request, timeout=target.PATIENCE)
            self.assertEqual([item.key for item in page.items], ["list/2", "list/3"])
            self.assertTrue(page.more)
            members.assert_same_over_iroh(self, place, stub.List, NAME + "List", request, lambda answer: answer)

    def test_a_write_that_expects_something_else_is_refused(self):
        put = kv.PutRequest(key="expected", value=b"1", expected_revision=0)
        revision = self.at(0).Put(put, timeout=target.PATIENCE).revision
        for place, stub in enumerate(self.stubs):
            code, said = self.refused(stub.Put, put)
            self.assertEqual(code, grpc.StatusCode.FAILED_PRECONDITION)
            self.assertEqual(said, f'revision mismatch of key "expected": expected 0, found {revision}')
            code, over = members.refused_over_iroh(place, NAME + "Put", put)
            self.assertEqual(code, grpc.StatusCode.FAILED_PRECONDITION.value[0])
            self.assertIn(said, over)

    def test_a_write_that_is_sent_again_is_applied_once(self):
        for turn in range(4):
            request = kv.PutRequest(key="again", value=b"1", request_id="the same")
            answer = self.at(turn).Put(request, timeout=target.PATIENCE)
            first = answer if turn == 0 else first
            self.assertEqual(answer, first)
        over = members.over_iroh(0, NAME + "Put", request, kv.PutResponse)
        self.assertEqual(over, first)

    def test_what_is_deleted_is_gone_everywhere(self):
        self.at(0).Put(kv.PutRequest(key="gone", value=b"1"), timeout=target.PATIENCE)
        self.assertTrue(self.at(1).Delete(kv.DeleteRequest(key="gone"), timeout=target.PATIENCE).existed)
        self.assertFalse(self.at(2).Delete(kv.DeleteRequest(key="gone"), timeout=target.PATIENCE).existed)
        for place, stub in enumerate(self.stubs):
            request = kv.GetRequest(key="gone")
            self.assertEqual(self.refused(stub.Get, request), (grpc.StatusCode.NOT_FOUND, 'key "gone" not found'))
            code, said = members.refused_over_iroh(place, NAME + "Get", request)
            self.assertEqual(code, grpc.StatusCode.NOT_FOUND.value[0])
            self.assertIn('key "gone" not found', said)

    def test_a_watcher_at_each_is_told_of_every_change_in_its_order(self):
        watches = [stub.Watch(kv.WatchRequest(prefix="watch/")) for stub in self.stubs]
        for watch in watches:
            begun = next(watch)
            self.assertEqual((begun.key, begun.HasField("value")), ("", False))
        changes = []
        for turn, value in enumerate([b"1", b"", None]):
            if value is None:
                revision = self.at(turn).Delete(kv.DeleteRequest(key="watch/a"), timeout=target.PATIENCE).revision
            else:
                request = kv.PutRequest(key="watch/a", value=value)
                revision = self.at(turn).Put(request, timeout=target.PATIENCE).revision
            changes.append(kv.WatchResponse(key="watch/a", value=value, revision=revision))
            self.at(turn).Put(kv.PutRequest(key="unwatched", value=b"1"), timeout=target.PATIENCE)
        for watch in watches:
            self.assertEqual([next(watch) for _ in changes], changes)
            watch.cancel()


if __name__ == "__main__":
    unittest.main()
