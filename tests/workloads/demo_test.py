import argparse
import contextlib
import io
import socket
import tempfile
import unittest
from pathlib import Path

import demo
import kindling


class ArgumentsTest(unittest.TestCase):
    def test_durations(self) -> None:
        for text, seconds in (("30s", 30), ("2m", 120), ("1.5h", 5400), ("7", 7)):
            self.assertEqual(demo.parse_seconds(text), seconds)
        for text in ("", "s", "30x", "-3s", "0", "1e3"):
            with self.assertRaises(argparse.ArgumentTypeError, msg=text):
                demo.parse_seconds(text)

    def test_wrong_usage_ends_with_status_2(self) -> None:
        for words in (["--detach", "--stop"], ["--rate", "0"], ["--for", "x"], ["--surprise"]):
            with contextlib.redirect_stderr(io.StringIO()):
                with self.assertRaises(SystemExit) as ended:
                    demo.parse_arguments(["--bin-dir", "x", *words])
            self.assertEqual(ended.exception.code, 2, words)


class ProgramsTest(unittest.TestCase):
    def test_says_what_is_missing(self) -> None:
        with tempfile.TemporaryDirectory() as directory:
            (Path(directory) / "kindlingctl").touch()
            with self.assertRaisesRegex(kindling.KindlingError,
                                        "no kindling-agent, kindling-controller:"):
                kindling.Programs.find(Path(directory))

    def test_free_port_leaves_a_taken_one(self) -> None:
        with socket.socket() as sock:
            sock.bind(("127.0.0.1", 0))
            sock.listen()
            taken = sock.getsockname()[1]
            self.assertNotEqual(kindling.free_port(taken), taken)


if __name__ == "__main__":
    unittest.main()
