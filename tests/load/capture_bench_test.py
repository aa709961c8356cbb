"""Runs the capture bench once, slowly and shortly: it must finish, say everything that it promises, and lose nothing at a
rate that any machine keeps up with. How fast the machine is proves nothing here.

Needs root and BPF; fails without them.
"""

import json
import os
import subprocess
import tempfile
import unittest
from pathlib import Path

_PROGRAMS = ("agent/kindling-agent", "controller/kindling-controller", "ui/cli/kindlingctl", "tests/load/udp_load",
             "tests/load/capture_packets")
_COSTS = ("capture_mb_per_s", "capture_cpu_us_per_packet", "capture_cpu_vs_tcpdump", "whole_mb_per_s",
          "whole_cpu_us_per_packet", "whole_cpu_vs_tcpdump")


class CaptureBenchTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls) -> None:
        runfiles = Path(os.environ["TEST_SRCDIR"]) / os.environ["TEST_WORKSPACE"]
        with tempfile.TemporaryDirectory() as directory:
            for program in _PROGRAMS:
                (Path(directory) / Path(program).name).symlink_to((runfiles / program).resolve())
            done = subprocess.run(
                ["/usr/bin/python3", "-B", str(runfiles / "tests/load/capture.py"), "--bin-dir", directory, "--runs",
                 "1", "--mbit", "50", "--seconds", "2"], stdout=subprocess.PIPE, check=False)
        if done.returncode != 0:
            raise AssertionError(f"the bench ended with status {done.returncode}")
        print(done.stdout.decode())  # for whoever reads the log of the test
        cls.report = json.loads(done.stdout)

    def test_says_what_it_promises(self) -> None:
        for key in _COSTS:
            self.assertGreater(self.report[key], 0, key)
        self.assertRegex(self.report["machine"], r"^\d+ x .+")
        self.assertEqual(self.report["kernel"], os.uname().release)

    def test_loses_nothing_at_a_low_rate(self) -> None:
        self.assertGreater(self.report["sent_per_run"], 5000)
        for key in ("capture_lost", "whole_lost", "tcpdump_lost"):
            self.assertEqual(self.report[key], 0, key)


if __name__ == "__main__":
    unittest.main()
