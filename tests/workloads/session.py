"""One run of the demo: the application, the controller and the agents, in the order that keeps the truth exact."""

import os
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import registry
import screen
import topology
from compare import Report, compare
from edges import EdgeTruth
from kindling import Kindling, Programs
from procs import Supervisor
from workload import Workload, edge_truth

REDRAW_S = 2.0
_SETTLE_S = 2.5


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


class Demo:
    """The application, the controller and the agents of one run."""

    def __init__(self, programs: Programs, entry: registry.Entry,
                 capture: dict[str, Any] | None = None) -> None:
        directory = Path(entry.directory)
        self.supervisor = Supervisor(directory, entry.add_process,
                                     Path(entry.cgroup) if entry.cgroup else None)
        self._entry = entry
        self.kindling = Kindling(programs, self.supervisor, directory, capture)
        self._directory = directory

    def start_application(self) -> None:
        say("starting nginx, the shop, redis-server, mariadbd and dnsmasq on two test hosts")
        self.hosts = topology.create(self._entry)
        self.workload = Workload(self.supervisor, self._directory, self.hosts)
        self.workload.start()
        self._before = self.workload.snapshot()

    def start_capture(self, wanted_port: int = 0) -> None:
        self.kindling.start_controller(wanted_port)
        self.start_agents("host-a", "host-b")

    def start_agents(self, *names: str) -> None:
        paths = dict(zip(("host-a", "host-b"), (host.namespace_path for host in self.hosts)))
        self.kindling.start_agents({name: [paths[name]] for name in names})

    def run_load(self, rate: float, seconds: float, seed: int, each: Callable[[], None]) -> None:
        """Returns when the load has ended; calls `each` about ten times a second meanwhile."""
        self.workload.start_load(rate, seconds, seed)
        while not self.workload.load_ended():
            self.workload.check_load()
            each()
            time.sleep(0.1)

    def truth(self) -> list[EdgeTruth]:
        """Only after the agents have ended: the looks at the counters are requests too."""
        return edge_truth(self._before, self.workload.snapshot(), self._load)

    def end_load(self) -> None:
        """Leaves the agents the time after which they take a quiet response for ended."""
        self._load = self.workload.end_load()
        time.sleep(_SETTLE_S)

    def finish(self) -> Report:
        self.end_load()
        self.kindling.stop_agents()
        answer = self.kindling.edges()
        return compare(self.truth(), answer)


def live_view(kindling: Kindling) -> Callable[[], None]:
    """Redraws the map when it is due."""
    next_draw = started = time.monotonic()
    commands = (f"controller at {kindling.address}; in another terminal, for example:\n"
                f"  {kindling.programs.ctl} --controller {kindling.address} top\n"
                f"  {kindling.programs.ctl} --controller {kindling.address} get spans\n"
                f"  {kindling.programs.ctl} --controller {kindling.address} map -o dot\n"
                "Ctrl-C ends the demo and compares what was shown with what was sent.")

    def draw() -> None:
        nonlocal next_draw
        if time.monotonic() < next_draw:
            return
        next_draw = time.monotonic() + REDRAW_S
        picture = screen.draw_map(kindling.edges(), time.monotonic() - started)
        if sys.stdout.isatty():
            picture = screen.CLEAR + picture
        print(f"{picture}\n\n{commands}\n", flush=True)

    return draw


def keep_logs(directory: Path) -> None:
    """Leaves the logs where a test run collects its artifacts, if it says where."""
    if target := os.environ.get("KINDLING_TEST_ARTIFACTS"):
        logs = Path(target) / "demo"
        logs.mkdir(parents=True, exist_ok=True)
        for log in directory.glob("*.log"):
            shutil.copy(log, logs)
