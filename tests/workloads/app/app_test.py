import json
import random
import struct
import tempfile
import unittest
from collections import Counter
from pathlib import Path

import dns_wire
import prepared
import scenarios
from counters import Counters
from loadgen import Pacer


class PacerTest(unittest.TestCase):
    def drain(self, pacer: Pacer) -> list[str]:
        paths = []
        while step := pacer.next_step():
            paths += [f"{request.method} {request.path}" for request in step[0]]
        return paths

    def test_exactly_as_many_as_asked_for(self) -> None:
        for count in (1, 7, 200):
            self.assertEqual(len(self.drain(Pacer(1e6, 60, count, seed=1))), count)

    def test_same_seed_same_requests(self) -> None:
        first, second, other = (self.drain(Pacer(1e6, 60, 100, seed)) for seed in (3, 3, 4))
        self.assertEqual(first, second)
        self.assertNotEqual(first, other)

    def test_ends_by_time_and_when_stopped(self) -> None:
        self.assertEqual(len(self.drain(Pacer(100, 0.055, 1000, seed=1))) // 6, 1)
        pacer = Pacer(1000, 60, 1000, seed=1)
        pacer.stop()
        self.assertIsNone(pacer.next_step())


class ScenariosTest(unittest.TestCase):
    def test_every_kind_comes_up(self) -> None:
        rng = random.Random(1)
        drawn = Counter(scenarios.draw(rng).endpoint for _ in range(3000))
        for request in scenarios.one_of_each(rng):
            if not request.endpoint.startswith("/static/"):
                self.assertGreater(drawn[request.endpoint], 0, request.endpoint)

    def test_pipelines_have_no_bodies(self) -> None:
        rng = random.Random(2)
        for _ in range(100):
            requests = scenarios.draw_pipeline(rng)
            self.assertTrue(2 <= len(requests) <= 6)
            self.assertFalse(any(request.body for request in requests))


class DnsWireTest(unittest.TestCase):
    def test_query_bytes(self) -> None:
        self.assertEqual(dns_wire.encode_query(0x1234, "a.test.", "SRV"),
                         b"\x12\x34\x01\x00\0\x01\0\0\0\0\0\0\x01a\x04test\0\0\x21\0\x01")

    def test_refuses_what_is_no_name(self) -> None:
        for name in ("", "a..b", "x" * 64 + ".test"):
            with self.assertRaises(ValueError, msg=name):
                dns_wire.encode_query(1, name, "A")

    def test_answers(self) -> None:
        answer = struct.pack("!HHHHHH", 7, 0x8183, 1, 2, 0, 0)
        self.assertEqual(dns_wire.decode_rcode(7, answer), (3, 2))
        for query_id, wrong in ((8, answer), (7, answer[:11]), (7, b"\0\x07\0\0" + answer[4:])):
            with self.assertRaises(dns_wire.DnsError):
                dns_wire.decode_rcode(query_id, wrong)


class PreparedTest(unittest.TestCase):
    def test_execute_body(self) -> None:
        self.assertEqual(prepared.encode_execute(5, ["ab", ""]),
                         b"\x05\0\0\0\0\x01\0\0\0" b"\0\x01\xfd\0\xfd\0" b"\x02ab\x00")
        self.assertEqual(prepared.encode_execute(1, []), b"\x01\0\0\0\0\x01\0\0\0")
        with self.assertRaises(ValueError):
            prepared.encode_execute(1, ["x" * 251])


class CountersTest(unittest.TestCase):
    def test_written_whole(self) -> None:
        with tempfile.TemporaryDirectory() as directory:
            file = Path(directory) / "counters.json"
            counters = Counters(file)
            counters.add("http")
            counters.add("dns", 2)
            counters.write()
            self.assertEqual(json.loads(file.read_text()), {"http": 1, "dns": 2})
            self.assertEqual(list(Path(directory).iterdir()), [file])


if __name__ == "__main__":
    unittest.main()
