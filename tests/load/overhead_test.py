"""Runs the overhead bench with few short runs: it must finish, say everything that it promises, and agree with the
servers about what was served. How fast the machine is proves nothing here.

Needs root and BPF; fails without them.
"""

import json
import os
import subprocess
import tempfile
import unittest
from pathlib import Path

_PROGRAMS = ("agent/kindling-agent", "controller/kindling-controller", "ui/cli/kindlingctl", "tests/load/paced",
             "tests/load/syscall_clock")
_PER_WORKLOAD = ("throughput_ratio", "p99_ratio", "agent_cpu_us_per_request", "bpf_ns_per_call",
                 "requests_seen_ratio", "tcpdump_throughput_ratio", "aa_spread")
_ONCE = ("foreign_syscall_ratio", "foreign_aa_spread", "agent_rss_mb", "agent_bpf_mb", "agent_memory_connections")
_WORKLOADS = {"nginx_file", "nginx_return", "redis", "redis_pipelined"}
_CONNECTIONS = 500


class OverheadTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls) -> None:
        runfiles = Path(os.environ["TEST_SRCDIR"]) / os.environ["TEST_WORKSPACE"]
        with tempfile.TemporaryDirectory() as directory:
            for program in _PROGRAMS:
                (Path(directory) / Path(program).name).symlink_to((runfiles / program).resolve())
            done = subprocess.run(
                ["/usr/bin/python3", "-B", str(runfiles / "tests/load/overhead.py"), "--bin-dir", directory,
                 "--pairs", "2", "--seconds", "0.5", "--connections", str(_CONNECTIONS)],
                stdout=subprocess.PIPE, check=False)
        if done.returncode != 0:
            raise AssertionError(f"the bench ended with status {done.returncode}")
        print(done.stdout.decode())  # for whoever reads the log of the test
        cls.report = json.loads(done.stdout)

    def test_says_what_it_promises(self) -> None:
        self.assertEqual(set(self.report["workloads"]), _WORKLOADS)
        for key in (*_PER_WORKLOAD, *_ONCE):
            self.assertIsInstance(self.report[key], (int, float), key)
        for name, workload in self.report["workloads"].items():
            for key in _PER_WORKLOAD:
                self.assertIsInstance(workload[key], (int, float), f"{name} {key}")
        self.assertRegex(self.report["machine"], r"^\d+ x .+")
        self.assertEqual(self.report["kernel"], os.uname().release)

    def test_the_worst_workload_is_at_the_top(self) -> None:
        for key, worst in (("throughput_ratio", min), ("requests_seen_ratio", min), ("p99_ratio", max),
                           ("agent_cpu_us_per_request", max)):
            self.assertEqual(self.report[key], worst(w[key] for w in self.report["workloads"].values()), key)

    def test_sees_what_is_served(self) -> None:
        for name, workload in self.report["workloads"].items():
            self.assertGreater(workload["requests"], 1000, name)
            self.assertGreaterEqual(workload["requests_seen_ratio"], 0.999, name)
            self.assertLessEqual(workload["requests_seen_ratio"], 1.001, name)

    def test_costs_are_plausible(self) -> None:
        self.assertGreater(self.report["throughput_ratio"], 0)
        self.assertLess(self.report["throughput_ratio"], 2)
        for key in ("p99_ratio", "tcpdump_throughput_ratio", "foreign_syscall_ratio"):
            self.assertGreater(self.report[key], 0, key)
        for name, workload in self.report["workloads"].items():
            # More than nothing: the agent did capture. Less than what a request to a server takes whole.
            for key in ("agent_cpu_us_per_request", "agent_user_us_per_request"):
                self.assertGreater(workload[key], 0, f"{name} {key}")
                self.assertLess(workload[key], 1000, f"{name} {key}")
            self.assertGreater(workload["bpf_ns_per_call"], 10, name)
            self.assertLess(workload["bpf_ns_per_call"], 100_000, name)

    def test_memory_is_bounded(self) -> None:
        self.assertEqual(self.report["agent_memory_connections"], _CONNECTIONS)
        self.assertGreater(self.report["agent_rss_mb"], 1)
        self.assertLess(self.report["agent_rss_mb"], 300)
        # The data ring alone is 16 MiB.
        self.assertGreater(self.report["agent_bpf_mb"], 16)
        self.assertLess(self.report["agent_bpf_mb"], 300)


if __name__ == "__main__":
    unittest.main()
