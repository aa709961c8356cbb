"""Runs the network bench with few short runs: it must finish, say everything that it promises, and see every connection.
How fast the machine is proves nothing here.

Needs root and BPF; fails without them.
"""

import json
import os
import subprocess
import tempfile
import unittest
from pathlib import Path

_PROGRAMS = ("agent/kindling-agent", "controller/kindling-controller", "ui/cli/kindlingctl", "tests/load/net_load")
_RATIOS = ("connections_per_s_ratio", "throughput_ratio", "connections_per_s_aa_spread", "throughput_aa_spread")


class NetworkBenchTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls) -> None:
        runfiles = Path(os.environ["TEST_SRCDIR"]) / os.environ["TEST_WORKSPACE"]
        with tempfile.TemporaryDirectory() as directory:
            for program in _PROGRAMS:
                (Path(directory) / Path(program).name).symlink_to((runfiles / program).resolve())
            done = subprocess.run(
                ["/usr/bin/python3", "-B", str(runfiles / "tests/load/network.py"), "--bin-dir", directory,
                 "--pairs", "1", "--seconds", "0.3", "--connections", "1000"],
                stdout=subprocess.PIPE, check=False)
        if done.returncode != 0:
            raise AssertionError(f"the bench ended with status {done.returncode}")
        print(done.stdout.decode())  # for whoever reads the log of the test
        cls.report = json.loads(done.stdout)

    def test_says_what_it_promises(self) -> None:
        for key in _RATIOS:
            for suffix in ("", "_both_ends"):
                self.assertGreaterEqual(self.report[key + suffix], 0, key + suffix)
        self.assertRegex(self.report["machine"], r"^\d+ x .+")
        self.assertEqual(self.report["kernel"], os.uname().release)

    def test_sees_every_connection(self) -> None:
        self.assertEqual(self.report["connections_seen_ratio"], 1)

    def test_costs_are_plausible(self) -> None:
        self.assertGreater(self.report["bulk_segments"], 100)
        for key in ("bpf_ns_per_packet", "bpf_ns_per_packet_short", "bpf_us_per_connection", "agent_us_per_connection"):
            self.assertGreater(self.report[key], 0, key)
            self.assertLess(self.report[key], 100_000, key)


if __name__ == "__main__":
    unittest.main()
