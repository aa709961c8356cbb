"""The demo: a small real application on two test hosts, watched by Kindling, and its service map.

Live until Ctrl-C on a terminal; once, with a comparison of every count with the truth, with --for or --json or where
there is no terminal. Exit status: 0 all counts agree, 1 they do not or the demo failed, 2 wrong usage.
"""

import argparse
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import preflight
import registry
import topology
from compare import format_report
from kindling import DEFAULT_PORT, KindlingError, Programs
from procs import ChildDied
from replay import record, replay, write_json
from session import Demo, keep_logs, live_view, say
from truth import TruthError

_LIVE_LIMIT_S = 2 * 3600.0
_DETACHED_LIMIT_S = 8 * 3600.0
FAILURES = (ChildDied, KindlingError, TruthError, topology.TopologyError, OSError, ValueError,
            subprocess.SubprocessError)


class Stop(BaseException):
    """Somebody asked the demo to end."""


def parse_seconds(text: str) -> float:
    match = re.fullmatch(r"(\d+(?:\.\d+)?)(s|m|h)?", text)
    if not match or float(match[1]) <= 0:
        raise argparse.ArgumentTypeError(f"{text!r} is no duration: write 30s or 5m")
    return float(match[1]) * {"s": 1, "m": 60, "h": 3600}[match[2] or "s"]


def run(args: argparse.Namespace, entry: registry.Entry, up: Callable[[str], None]) -> int:
    """Everything between the making of the entry and its removal."""
    once = args.seconds is not None or args.json is not None or not sys.stdout.isatty()
    demo = Demo(args.programs, entry, {"hook": args.hook})
    try:
        demo.start_application()
        # Where people look, kindlingctl is to find it without --controller.
        demo.start_capture(0 if once and not args.detached else DEFAULT_PORT)
        up(demo.kindling.address)
        if args.detached:
            demo.run_load(args.rate, args.seconds or _DETACHED_LIMIT_S, args.seed, lambda: None)
        elif once:
            seconds = args.seconds or 30.0
            say(f"sending {args.rate:g} requests a second for {seconds:g} s")
            demo.run_load(args.rate, seconds, args.seed, lambda: None)
        else:
            try:
                demo.run_load(args.rate, _LIVE_LIMIT_S, args.seed, live_view(demo.kindling))
            except KeyboardInterrupt:
                say("\nending the load and comparing; once more Ctrl-C to skip that")
        report = demo.finish()
        print(format_report(report), file=sys.stderr if args.json == "-" else sys.stdout)
        if args.json is not None:
            write_json(args.json, report.to_json())
        return 0 if report.passed else 1
    finally:
        keep_logs(Path(entry.directory))
        demo.supervisor.stop_all()


def detach(args: argparse.Namespace) -> int:
    """Runs the demo in a process of its own; returns when it captures, or with its error."""
    read_end, write_end = os.pipe()
    if os.fork() != 0:
        os.close(write_end)
        with os.fdopen(read_end) as pipe:
            message = pipe.read()
        kind, _, text = message.partition(" ")
        if kind != "up":
            say(text or "the demo ended before it was up")
            return 1
        print(f"the demo runs, with its controller at {text}\n"
              f"  {args.programs.ctl} --controller {text} get edges\n"
              "end it with: ./dev demo --stop")
        return 0
    os.close(read_end)
    os.setsid()

    def tell(message: str) -> None:
        nonlocal write_end
        if write_end >= 0:
            os.write(write_end, message.encode())
            os.close(write_end)
            write_end = -1

    entry = registry.create(detached=True)
    with (Path(entry.directory) / "demo.log").open("w") as log, open(os.devnull, "rb") as null:
        for source, target in ((null.fileno(), 0), (log.fileno(), 1), (log.fileno(), 2)):
            os.dup2(source, target)
    code = 1
    try:
        code = guarded(lambda: run(args, entry, lambda address: tell(f"up {address}")),
                       lambda text: (tell(f"failed {text}"), say(text)))
    finally:
        ignore_signals()
        registry.remove(entry)
        os._exit(code)


def ignore_signals() -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)


def guarded(body: Callable[[], int], complain: Callable[[str], Any]) -> int:
    try:
        return body()
    except FAILURES as error:
        complain(f"demo: {error}")
    except (Stop, KeyboardInterrupt):
        complain("demo: ended")
    return 1


def parse_arguments(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="./dev demo", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin-dir", type=Path, required=True, metavar="DIR",
                        help="holds kindling-agent, kindling-controller and kindlingctl")
    parser.add_argument("--for", dest="seconds", type=parse_seconds, metavar="30s",
                        help="run for this long (30s without a terminal) and compare")
    parser.add_argument("--json", metavar="FILE", help="write the comparison there; - is output")
    parser.add_argument("--rate", type=float, default=100.0, help="requests a second (100)")
    parser.add_argument("--seed", type=int, default=7, help="of the load generator")
    parser.add_argument("--hook", choices=("auto", "socket_tracepoints", "sys_exit"),
                        default="auto", help="how the agents capture (auto)")
    mode = parser.add_mutually_exclusive_group()
    mode.add_argument("--detach", dest="detached", action="store_true", help="leave it running")
    mode.add_argument("--stop", action="store_true", help="end what --detach left running")
    mode.add_argument("--replay", action="store_true", help="show a recording; needs no root")
    mode.add_argument("--record", type=Path, metavar="FILE", help="record a run for --replay")
    args = parser.parse_args(argv)
    if not 1 <= args.rate <= 2000:
        parser.error("--rate must be from 1 to 2000")
    return args


def main(argv: list[str]) -> int:
    args = parse_arguments(argv)
    if args.stop:
        stopped = registry.stop_detached(wait_s=60) + registry.sweep()
        print(f"ended: {', '.join(stopped)}" if stopped else "no demo was running")
        return 0

    def raise_stop(*_: Any) -> NoReturn:
        raise Stop

    signal.signal(signal.SIGTERM, raise_stop)
    signal.signal(signal.SIGHUP, raise_stop)
    args.programs = Programs.find(args.bin_dir)
    if args.replay:
        return replay(args.programs, args.json)
    if reason := preflight.why_not():
        say(f"{reason}; `./dev demo --replay` shows a recorded run instead")
        return 1
    registry.sweep()
    if args.detached:
        return detach(args)
    entry = registry.create(detached=False)
    try:
        if args.record:
            return record(args.programs, entry, args.record, args.rate, args.seconds or 10.0,
                          args.seed)
        return run(args, entry, lambda address: None)
    finally:
        ignore_signals()
        registry.remove(entry)


if __name__ == "__main__":
    sys.exit(guarded(lambda: main(sys.argv[1:]), say))
