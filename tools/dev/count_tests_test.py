import json
import pathlib
import subprocess
import sys
import tempfile
import unittest

import count_tests

GTEST = """<?xml version="1.0"?><testsuites tests="4"><testsuite name="A">
<testcase name="one" status="run" result="completed" classname="A"/>
<testcase name="two" status="run" result="completed" classname="A"><failure message="no"/><failure message="no"/></testcase>
<testcase name="three" status="run" result="skipped" classname="A"><skipped/></testcase>
<testcase name="four" status="notrun" result="suppressed" classname="A"/>
</testsuite></testsuites>"""


class CountTest(unittest.TestCase):

    def setUp(self):
        self._temp = tempfile.TemporaryDirectory()
        self.addCleanup(self._temp.cleanup)
        self.folder = pathlib.Path(self._temp.name)
        self.events = []

    def add(self, label, status, xml=None, log=None, shard=1):
        outputs = []
        for name, text in (("test.xml", xml), ("test.log", log)):
            if text is not None:
                path = self.folder / ("%d.%s" % (len(self.events), name))
                path.write_text(text)
                outputs.append({"name": name, "uri": "file://%s" % path})
        self.events.append({
            "id": {"testResult": {"label": label, "shard": shard, "run": 1}},
            "testResult": {"status": status, "testActionOutput": outputs},
        })

    def run_main(self, exit_code=None, checks=None):
        runs = self.folder / "runs"
        runs.mkdir()
        (runs / "1.json").write_text("\n".join(map(json.dumps, self.events)))
        if exit_code is not None:
            (runs / "1.exit").write_text(str(exit_code))
        if checks is not None:
            (runs / "checks").write_text(checks)
        result = subprocess.run(
            [sys.executable, count_tests.__file__, str(runs)], stdout=subprocess.PIPE, check=False, text=True)
        return result.stdout.rstrip("\n").split("\n")[-1], result.returncode

    def test_google_test_cases(self):
        self.add("//a:b", "FAILED", xml=GTEST)
        self.assertEqual(self.run_main(3), ("1 passed, 1 failed, 2 skipped", 1))

    def test_python_cases(self):
        self.add("//a:b", "PASSED", xml="<testsuites/>", log="...\nRan 3 tests in 0.1s\n\nOK (skipped=1)\n")
        self.add("//a:c", "FAILED", log="Ran 5 tests in 0.1s\n\nFAILED (failures=1, errors=1)\n")
        self.assertEqual(self.run_main(3), ("5 passed, 2 failed, 1 skipped", 1))

    def test_other_tests_are_one_case(self):
        self.add("//a:b", "PASSED", xml='<testsuites><testsuite><testcase name="b"/></testsuite></testsuites>')
        self.add("//a:c", "PASSED", log="fine\n")
        self.assertEqual(self.run_main(0), ("2 passed, 0 failed", 0))

    def test_crash_after_good_cases_is_a_failure(self):
        self.add("//a:b", "TIMEOUT", log="Ran 2 tests in 1s\n\nOK\n")
        self.assertEqual(self.run_main(3), ("2 passed, 1 failed", 1))

    def test_build_failure(self):
        self.events.append({
            "id": {"testSummary": {"label": "//a:b"}},
            "testSummary": {"overallStatus": "FAILED_TO_BUILD"},
        })
        self.assertEqual(self.run_main(1), ("0 passed, 1 failed", 1))

    def test_target_that_is_not_built(self):
        self.add("//a:b", "FAILED", log="no")
        self.events.append({"id": {"targetCompleted": {"label": "//a:b"}}, "completed": {}})
        self.events.append({"id": {"targetCompleted": {"label": "//a:c"}}, "completed": {"success": True}})
        self.events.append({"id": {"targetCompleted": {"label": "//a:d"}}, "completed": {}})
        self.events.append({"id": {"targetCompleted": {"label": "//a:e"}}, "aborted": {"reason": "ANALYSIS_FAILURE"}})
        self.events.append({"id": {"targetCompleted": {"label": "//a:f"}}, "aborted": {"reason": "SKIPPED"}})
        self.assertEqual(self.run_main(1), ("0 passed, 3 failed", 1))

    def test_bazel_itself_failed(self):
        self.add("//a:b", "PASSED")
        self.assertEqual(self.run_main(2), ("1 passed, 1 failed", 1))

    def test_last_attempt_of_each_shard_counts(self):
        self.add("//a:b", "FAILED", shard=1)
        self.add("//a:b", "PASSED", shard=1)
        self.add("//a:b", "PASSED", shard=2)
        self.assertEqual(self.run_main(0), ("2 passed, 0 failed", 0))

    def test_checks(self):
        self.add("//a:b", "PASSED")
        self.assertEqual(self.run_main(0, "ok format\nfailed layering\n"), ("2 passed, 1 failed", 1))

    def test_nothing_ran(self):
        self.assertEqual(self.run_main(0), ("0 passed, 0 failed", 1))


if __name__ == "__main__":
    unittest.main()
