"""The whole path: ./dev demo on both ways to capture. Needs root and BPF; fails without."""

import json
import subprocess
import tempfile
import unittest
from pathlib import Path
from typing import Any

import demo
import edges
from compare import key_of
from kindling import PROGRAMS, Programs


class DemoTest(unittest.TestCase):
    def setUp(self) -> None:
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.directory = Path(directory.name)
        programs = Programs.of_test()
        for name, path in zip(PROGRAMS, (programs.agent, programs.controller, programs.ctl)):
            (self.directory / name).symlink_to(path.resolve())

    def run_demo(self, *words: str) -> tuple[int, str, dict[str, Any]]:
        output = self.directory / "demo.json"
        done = subprocess.run(
            ["/usr/bin/python3", demo.__file__, "--bin-dir", str(self.directory), "--json",
             str(output), *words], capture_output=True, text=True, timeout=180, check=False)
        answer = json.loads(output.read_text()) if output.exists() else {}
        return done.returncode, done.stdout + done.stderr, answer

    def check_live(self, hook: str) -> None:
        code, said, answer = self.run_demo("--for", "10s", "--hook", hook)
        self.assertEqual(code, 0, said)
        self.assertEqual({key_of(edge) for edge in answer["edges"]}, set(edges.EXPECTED))
        for edge in answer["edges"]:
            if edge["lost"] == 0:
                self.assertEqual(edge["requestCount"], edge["truth"], edge)
            self.assertEqual(edge.get("observer"), "both", edge)
        for name in ("captured", "lost", "fraction"):
            self.assertIn(name, answer["completeness"])

    def test_socket_tracepoints(self) -> None:
        self.check_live("socket_tracepoints")

    def test_sys_exit(self) -> None:
        self.check_live("sys_exit")


if __name__ == "__main__":
    unittest.main()
