"""Makes a recording of the demo, and shows it again without root.

Beside demo.krec lies demo.truth.json, what really happened while it was recorded.
"""

import json
import shutil
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import registry
import screen
from compare import compare, format_report
from edges import EdgeKey, EdgeTruth
from kindling import Kindling, KindlingError, Programs
from procs import Supervisor
from session import Demo, say

RECORDING = Path(__file__).resolve().parent.parent / "golden" / "demo.krec"


def write_json(target: str, value: dict[str, Any]) -> None:
    text = json.dumps(value, indent=2) + "\n"
    if target == "-":
        sys.stdout.write(text)
    else:
        Path(target).write_text(text, encoding="utf-8")


def record(programs: Programs, entry: registry.Entry, file: Path, rate: float, seconds: float,
           seed: int) -> int:
    """Records both hosts into one file, and what really happened into another beside it."""
    demo = Demo(programs, entry)
    try:
        demo.start_application()
        child = demo.kindling.start_recording(file.resolve(),
                                              [host.namespace_path for host in demo.hosts])
        demo.run_load(rate, seconds, seed, lambda: None)
        demo.end_load()
        demo.supervisor.stop([child])
        if child.process.returncode != 0:
            raise KindlingError(f"{child.name}: {child.log_end()}")
        truth_file(file).write_text(json.dumps(
            [asdict(truth.key) | {"truth": truth.count} for truth in demo.truth()], indent=2) + "\n")
        return 0
    finally:
        demo.supervisor.stop_all()


def truth_file(recording: Path) -> Path:
    return recording.with_suffix(".truth.json")


def replay(programs: Programs, json_target: str | None) -> int:
    """Shows a recording through the same pipeline. Needs no root and touches nothing but its directory."""
    if not RECORDING.is_file():
        say(f"there is no recording at {RECORDING}")
        return 1
    directory = registry.make_directory()
    supervisor = Supervisor(directory, lambda pid: None)
    try:
        kindling = Kindling(programs, supervisor, directory)
        kindling.start_controller()
        kindling.replay(RECORDING)
        answer = kindling.edges()
        truths = [EdgeTruth(EdgeKey(t["client"], t["server"], t["protocol"], t["transport"]),
                            {"recorded truth": t["truth"]})
                  for t in json.loads(truth_file(RECORDING).read_text())]
        report = compare(truths, answer)
        out = sys.stderr if json_target == "-" else sys.stdout
        print(f"{screen.RECORDING_BANNER}\n\n{screen.draw_map(answer)}\n", file=out)
        print(format_report(report), file=out, flush=True)
        if json_target is not None:
            write_json(json_target, {"recording": True} | report.to_json())
        elif sys.stdout.isatty():
            print(f"\nTry: {programs.ctl} --controller {kindling.address} get spans\n"
                  "Ctrl-C ends the demo.", flush=True)
            try:
                while True:
                    supervisor.check()
                    time.sleep(0.2)
            except KeyboardInterrupt:
                pass
        return 0 if report.passed else 1
    finally:
        supervisor.stop_all()
        shutil.rmtree(directory, ignore_errors=True)
