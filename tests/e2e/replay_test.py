"""./dev demo --replay: the recorded demo through agent and controller. Needs no root."""

import json
import subprocess
import tempfile
import unittest
from pathlib import Path

import demo
import edges
from compare import key_of
from kindling import PROGRAMS, Programs


class ReplayTest(unittest.TestCase):
    def test_recorded_counts_are_the_truth(self) -> None:
        programs = Programs.of_test()
        with tempfile.TemporaryDirectory() as directory:
            for name, path in zip(PROGRAMS, (programs.agent, programs.controller, programs.ctl)):
                (Path(directory) / name).symlink_to(path.resolve())
            done = subprocess.run(
                ["/usr/bin/python3", demo.__file__, "--bin-dir", directory, "--replay", "--json",
                 "-"], capture_output=True, text=True, timeout=120, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("RECORDING", done.stderr)
        answer = json.loads(done.stdout)
        self.assertTrue(answer["recording"])
        self.assertEqual({key_of(edge) for edge in answer["edges"]}, set(edges.EXPECTED))
        for edge in answer["edges"]:
            self.assertEqual(edge["requestCount"], edge["truth"], edge)


if __name__ == "__main__":
    unittest.main()
