"""Loses requests on purpose: what is estimated lost agrees with what was lost, and nothing is counted twice.

A ring that is emptied too seldom overflows: what comes in an interval beyond its size is lost, so the loss follows from
the load and the interval, and hardly from the machine. Where the share is not the wanted one, the interval is changed and
the case is run anew, a few times at most; the agreement of estimate and truth is asserted for the share that is wanted.

Needs root and BPF; fails without.
"""

import json
import shutil
import signal
import subprocess
import time
import unittest
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import registry
import servers
import topology
from compare import key_of
from edges import EdgeKey
from kindling import Kindling, Programs
from procs import Child, Supervisor, existing_user
from workload import PYTHON

_LOAD = Path(__file__).resolve().parent / "paced_load.py"
_LOAD_S = 10.0
_AGREEMENT = 0.10
_TRIES = 4


@dataclass(frozen=True)
class Load:
    name: str
    mode: str
    port: int
    rate: float
    server: str
    protocol: str
    transport: str = "tcp"

    @property
    def key(self) -> EdgeKey:
        return EdgeKey(self.name, self.server, self.protocol, self.transport)


_LOADS = (
    Load("httpload", "http", 80, 300, "nginx:80", "http"),
    Load("redisload", "redis", 6379, 400, "redis-server:6379", "redis"),
    Load("redispipe", "redis-pipelined", 6379, 120, "redis-server:6379", "redis"),
    Load("dnsload", "dns", 53, 200, "dnsmasq:53", "dns", "udp"),
)


@dataclass
class Outcome:
    """What a run of all loads gave: the truth beside the answer."""

    truth: dict[EdgeKey, int]
    answer: dict[str, Any]
    status: int

    def edge(self, key: EdgeKey) -> dict[str, Any]:
        found = [edge for edge in self.answer.get("edges", []) if key_of(edge) == key]
        assert len(found) == 1, f"{key}: shown {len(found)} times: {self.answer}"
        return found[0]

    def views(self, key: EdgeKey) -> dict[str, tuple[int, int]]:
        """Of every observer what it counted and what it says it lost."""
        edge = self.edge(key)
        views = {"shown": edge, "client": edge["clientView"], "server": edge["serverView"]}
        return {name: (int(view.get("requestCount", 0)), int(view.get("lost", 0)))
                for name, view in views.items()}

    def lost_share(self, key: EdgeKey) -> float:
        return 1 - self.views(key)["shown"][0] / self.truth[key]


class LossTest(unittest.TestCase):
    def setUp(self) -> None:
        entry = registry.create(detached=False)
        self.addCleanup(registry.remove, entry)
        self.directory = Path(entry.directory)
        cgroup = Path(entry.cgroup) if entry.cgroup else None
        self.supervisor = Supervisor(self.directory, entry.add_process, cgroup)
        self.addCleanup(self.supervisor.stop_all)
        self.host = topology.create_one(entry)
        place = servers.Place(self.supervisor, self.host.namespace, self.directory)
        servers.start_redis(place)
        servers.start_nginx(place, "127.0.0.1")
        servers.start_dnsmasq(place)
        self.runs = 0

    def start_loads(self) -> list[Child]:
        children = []
        for load in _LOADS:
            script = self.directory / f"{load.name}.py"
            shutil.copy(_LOAD, script)
            script.chmod(0o644)
            with (self.directory / f"{load.name}.json").open("wb") as output:
                children.append(self.supervisor.spawn(
                    load.name, [PYTHON, str(script), "--mode", load.mode, "--port", str(load.port),
                                "--rate", str(load.rate), "--for-seconds", str(_LOAD_S),
                                "--seed", str(self.runs)],
                    namespace=self.host.namespace, user=existing_user("nobody"), stdout=output))
            self.supervisor.wait_for_line(children[-1], "ready:")
        return children

    def run_case(self, ring_bytes: int, interval_ms: int) -> Outcome:
        """One agent and one controller of its own; the first connections are open before capture."""
        self.runs += 1
        directory = self.directory / f"run-{self.runs}"
        directory.mkdir()
        kindling = Kindling(Programs.of_test(), self.supervisor, directory,
                            {"data_ring_bytes": ring_bytes, "drain_interval_ms": interval_ms})
        children = self.start_loads()
        kindling.start_controller()
        kindling.start_agents({"loss": [self.host.namespace_path]})
        for child in children:
            child.process.send_signal(signal.SIGUSR1)
        deadline = time.monotonic() + _LOAD_S + 30
        while any(child.process.poll() is None for child in children):
            self.assertLess(time.monotonic(), deadline, "the load does not end")
            time.sleep(0.1)
        for child in children:
            self.supervisor.wait(child, 1)
        kindling.stop_agents()  # at once: the end of a run compares the counters once more
        done = subprocess.run(
            [str(kindling.programs.ctl), "--controller", kindling.address, "--since", "24h", "-o",
             "json", "get", "edges"], capture_output=True, text=True, timeout=20, check=False)
        kindling.kill_controller()
        truth = {load.key: json.loads((self.directory / f"{load.name}.json").read_text())["sent"]
                 for load in _LOADS}
        outcome = Outcome(truth, json.loads(done.stdout), done.returncode)
        self.report(outcome, f"ring {ring_bytes}, interval {interval_ms} ms")
        return outcome

    @staticmethod
    def report(outcome: Outcome, what: str) -> None:
        print(what, flush=True)
        for key, truth in outcome.truth.items():
            for name, (count, lost) in outcome.views(key).items():
                missing = truth - count
                error = (lost - missing) / missing if missing else float(lost)
                print(f"  {key} {name}: truth {truth}, counted {count}, lost {missing}"
                      f" ({missing / truth:.1%}), estimated {lost}, error {error:+.1%}", flush=True)
        print(f"  {outcome.answer.get('completeness')}", flush=True)

    def check_agreement(self, outcome: Outcome) -> None:
        self.assertEqual(outcome.status, 3, "kindlingctl does not say that the answer is partial")
        for key, truth in outcome.truth.items():
            for name, (count, lost) in outcome.views(key).items():
                self.assertLessEqual(count, truth, f"{key} {name}: counted twice")
                missing = truth - count
                self.assertLessEqual(abs(lost - missing), _AGREEMENT * missing,
                                     f"{key} {name}: {lost} estimated of {missing} lost")
        completeness = outcome.answer["completeness"]
        captured, lost = int(completeness["captured"]), int(completeness["lost"])
        self.assertEqual(captured, sum(int(edge.get("requestCount", 0))
                                       for edge in outcome.answer["edges"]))
        missing = sum(outcome.truth.values()) - captured
        self.assertLessEqual(abs(lost - missing), _AGREEMENT * missing, completeness)
        self.assertLess(completeness["fraction"], 1)
        self.assertAlmostEqual(completeness["fraction"], captured / (captured + lost), places=6)

    def lose(self, ring_bytes: int, interval_ms: int, target: float, low: float, high: float) -> None:
        """Until every load has lost a share within the bounds.

        They are wide, as the loads lose unlike shares: a ring that is nearly full still takes a small
        call and refuses a large one.
        """
        shares: list[float] = []
        for _ in range(_TRIES):
            outcome = self.run_case(ring_bytes, interval_ms)
            shares = [outcome.lost_share(load.key) for load in _LOADS]
            if all(low <= share <= high for share in shares):
                self.check_agreement(outcome)
                return
            middle = (min(shares) + max(shares)) / 2
            interval_ms = round(max(1, interval_ms * min(2, max(0.5, (1 - middle) / (1 - target)))))
        self.fail(f"lost {shares} in the last try, wanted {low} to {high}")

    def test_nothing_lost(self) -> None:
        outcome = self.run_case(16 << 20, 10)
        for key, truth in outcome.truth.items():
            for name, view in outcome.views(key).items():
                self.assertEqual(view, (truth, 0), f"{key} {name}")
        completeness = outcome.answer["completeness"]
        self.assertEqual(completeness.get("lost", 0), 0)
        self.assertEqual(completeness["fraction"], 1)
        self.assertEqual(outcome.status, 0)

    def test_a_tenth_lost(self) -> None:
        self.lose(64 << 10, 85, 0.10, 0.04, 0.25)

    def test_half_lost(self) -> None:
        self.lose(64 << 10, 125, 0.50, 0.25, 0.75)

    def test_half_lost_of_the_smallest_ring(self) -> None:
        """Each interval holds a few calls only: nearly every exchange is cut somewhere."""
        self.lose(4 << 10, 8, 0.50, 0.25, 0.80)


if __name__ == "__main__":
    unittest.main()
