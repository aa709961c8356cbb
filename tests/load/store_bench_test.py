"""Runs the store bench in its quick form: it must finish, say everything that it promises, and its figures must fit
together. How fast the machine is proves nothing here.
"""

import json
import os
import subprocess
import tempfile
import unittest
from pathlib import Path

_PROGRAMS = ("controller/kindling-controller", "ui/cli/kindlingctl", "tests/load/store/make_load",
             "tests/load/store/send_load", "tests/load/store/query_load", "tests/load/store/row_store",
             "tests/load/store/store_probe")
_NUMBERS = ("ingest_spans_per_s", "ingest_points_per_s", "ingest_histograms_per_s", "bytes_per_span",
            "bytes_per_span_foreign_ids", "bytes_per_point", "bytes_per_histogram_point", "trace_p99_ms", "map_ms",
            "drop_bucket_ms", "ack_p99_ms", "rss_mb")
_SEARCHES = {"service", "duration", "attribute", "all"}


class StoreBenchTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls) -> None:
        runfiles = Path(os.environ["TEST_SRCDIR"]) / os.environ["TEST_WORKSPACE"]
        with tempfile.TemporaryDirectory() as directory:
            for program in _PROGRAMS:
                (Path(directory) / Path(program).name).symlink_to((runfiles / program).resolve())
            done = subprocess.run(
                ["/usr/bin/python3", "-B", str(runfiles / "tests/load/store.py"), "--bin-dir", directory, "--quick",
                 "--directory", os.environ["TEST_TMPDIR"]],
                stdout=subprocess.PIPE, check=False)
        if done.returncode != 0:
            raise AssertionError(f"the bench ended with status {done.returncode}")
        print(done.stdout.decode())  # for whoever reads the log of the test
        cls.report = json.loads(done.stdout)

    def test_says_what_it_promises(self) -> None:
        for key in _NUMBERS:
            self.assertIsInstance(self.report[key], (int, float), key)
            self.assertGreater(self.report[key], 0, key)
        for key in ("search_p50_ms", "search_p99_ms"):
            self.assertEqual(set(self.report[key]), _SEARCHES)
        for kind in _SEARCHES:
            self.assertLessEqual(self.report["search_p50_ms"][kind], self.report["search_p99_ms"][kind], kind)
        self.assertRegex(self.report["machine"], r"^\d+ x .+")
        self.assertEqual(self.report["kernel"], os.uname().release)
        self.assertEqual(self.report["traffic"]["seed"], self.report["seed"])
        self.assertEqual([one["spans"] >= size for one, size in zip(self.report["growth"], self.report["spans"])],
                         [True] * len(self.report["spans"]))

    def test_every_question_was_answered_and_found_something(self) -> None:
        for grown in self.report["growth"]:
            self.assertEqual(grown["unanswered"], {})
            self.assertEqual(grown["empty_answers"], 0)
        # The same spans, the same questions.
        rows = self.report["baseline"]["queries"]
        searched = self.report["phases"]["searched"]
        for kind in ("duration", "attribute", "trace"):
            self.assertEqual(searched[kind]["rows"], rows[kind]["rows"], kind)
        # Calls that it makes itself are a service's too, and the baseline's index has none of those.
        self.assertGreaterEqual(searched["service"]["rows"], rows["service"]["rows"])
        self.assertGreater(self.report["phases"]["map"]["edges"], 100)
        self.assertEqual(self.report["phases"]["map"]["error"], "")

    def test_figures_fit_together(self) -> None:
        self.assertLess(self.report["bytes_per_span"], self.report["baseline"]["bytes_per_span"])
        self.assertLess(self.report["bytes_per_span"], self.report["bytes_per_span_foreign_ids"])
        # A foreign trace id and parent id are 24 bytes.
        self.assertLess(self.report["bytes_per_span_foreign_ids"] - self.report["bytes_per_span"], 30)
        self.assertLess(self.report["bytes_per_point"], self.report["bytes_per_histogram_point"])
        self.assertLess(self.report["phases"]["spans"]["sender_cpu_share"], 0.5)
        for grown in self.report["growth"]:
            self.assertGreater(grown["drop_bucket"]["freed_mb"], 0)
            # Every trace has as many spans as the traffic says.
            self.assertEqual(grown["trace_rows"], self.report["traffic"]["spans_per_trace"])


if __name__ == "__main__":
    unittest.main()
