"""Adds up test cases over runs of `bazel test` and prints the sum as the last line.

count_tests.py FOLDER, which holds
  N.json   build events of one `bazel test`
  N.exit   its exit code
  checks   optional: one line `ok NAME` or `failed NAME` per check

GoogleTest cases come from each test's test.xml, Python's from its log ("Ran 3 tests"); any other test is one case.
A test that failed without a failed case (crash, time-out) and a target that could not be built count as one failed case.
"""

import json
import pathlib
import re
import sys
import urllib.parse
import xml.etree.ElementTree as ElementTree


class Count:
    """Passed, failed and skipped cases, and the names of what failed."""

    def __init__(self):
        self.passed = 0
        self.failed = 0
        self.skipped = 0
        self.failures = []

    def add(self, passed=0, failed=0, skipped=0):
        self.passed += passed
        self.failed += failed
        self.skipped += skipped


def _path(uri):
    return pathlib.Path(urllib.parse.unquote(urllib.parse.urlparse(uri).path))


def cases_in_xml(path):
    """(passed, failed, skipped) of a GoogleTest report, or None if this is not one."""
    try:
        root = ElementTree.parse(path).getroot()
    except (OSError, ElementTree.ParseError):
        return None
    cases = [case for case in root.iter("testcase") if "classname" in case.attrib]
    if not cases:
        return None
    failed = sum(1 for case in cases if case.find("failure") is not None or case.find("error") is not None)
    skipped = sum(
        1 for case in cases if case.find("skipped") is not None or case.get("result") in ("skipped", "suppressed"))
    not_run = sum(1 for case in cases if case.get("status") == "notrun" and case.get("result") != "suppressed")
    skipped += not_run
    return len(cases) - failed - skipped, failed, skipped


def cases_in_log(path):
    """(passed, failed, skipped) of a Python unittest log, or None if this is not one."""
    try:
        text = path.read_text(errors="replace")
    except OSError:
        return None
    ran = re.findall(r"^Ran (\d+) tests? in ", text, re.MULTILINE)
    if not ran:
        return None
    verdicts = re.findall(r"^(?:OK|FAILED)(?: \((.*)\))?$", text, re.MULTILINE)
    failed = skipped = 0
    for verdict in verdicts:
        for key, value in re.findall(r"([a-z ]+)=(\d+)", verdict or ""):
            if key.strip() in ("failures", "errors", "unexpected successes"):
                failed += int(value)
            elif key.strip() == "skipped":
                skipped += int(value)
    return sum(map(int, ran)) - failed - skipped, failed, skipped


def add_run(events, count):
    """Adds one build event file: the last attempt of every shard of every test."""
    results = {}
    summaries = {}
    not_built = set()
    for line in events.read_text(errors="replace").splitlines():
        try:
            event = json.loads(line)
        except ValueError:
            continue
        key = event.get("id", {})
        if "testResult" in key:
            test = key["testResult"]
            results[(test["label"], test.get("shard", 1), test.get("run", 1))] = event.get("testResult", {})
        elif "testSummary" in key:
            summaries[key["testSummary"]["label"]] = event.get("testSummary", {}).get("overallStatus", "")
        elif "targetCompleted" in key and event.get("aborted", {}).get("reason") != "SKIPPED":
            if not event.get("completed", {}).get("success"):
                not_built.add(key["targetCompleted"]["label"])
    for (label, _, _), result in sorted(results.items()):
        outputs = {output["name"]: _path(output["uri"]) for output in result.get("testActionOutput", []) if "uri" in output}
        good = result.get("status") == "PASSED"
        cases = cases_in_xml(outputs["test.xml"]) if "test.xml" in outputs else None
        if cases is None and "test.log" in outputs:
            cases = cases_in_log(outputs["test.log"])
        if cases is None:
            cases = (1, 0, 0) if good else (0, 1, 0)
        if not good and cases[1] == 0:
            cases = (cases[0], 1, cases[2])
        count.add(*cases)
        if not good or cases[1]:
            count.failures.append(label)
    ran = {label for label, _, _ in results}
    for label in sorted(not_built - ran):
        count.add(failed=1)
        count.failures.append("%s (not built)" % label)
    ran |= not_built
    for label, status in sorted(summaries.items()):
        if label not in ran and status != "PASSED":
            count.add(failed=1)
            count.failures.append("%s (%s)" % (label, status.lower().replace("_", " ")))


def main(folder):
    folder = pathlib.Path(folder)
    count = Count()
    checks = folder / "checks"
    if checks.exists():
        for line in checks.read_text().splitlines():
            verdict, _, name = line.partition(" ")
            count.add(passed=verdict == "ok", failed=verdict != "ok")
            if verdict != "ok":
                count.failures.append("check: " + name)
    for events in sorted(folder.glob("*.json")):
        before = count.failed
        add_run(events, count)
        exit_file = events.with_suffix(".exit")
        code = int(exit_file.read_text()) if exit_file.exists() else 0
        if code != 0 and count.failed == before:
            count.add(failed=1)
            count.failures.append("bazel ended with exit code %d" % code)
    if count.failures:
        print("\nfailed:")
        for name in sorted(set(count.failures)):
            print("  " + name)
    skipped = ", %d skipped" % count.skipped if count.skipped else ""
    print("\n%d passed, %d failed%s" % (count.passed, count.failed, skipped))
    return 1 if count.failed or not count.passed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
