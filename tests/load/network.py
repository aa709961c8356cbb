"""What watching the network costs: short connections and a bulk transfer over TCP, without and with the agent.

Prints one JSON object on standard output. Everything happens on the loopback of a network namespace of its own. Every
ratio is the median over interleaved runs (off, on, off), so that the drift of the machine falls on both sides alike;
`aa_spread` is how far two runs without the agent differ, and a ratio closer to 1 than that says nothing. The server is
pinned to processor 0, load generator, agent and controller to processor 1. Ratios without a suffix watch the server's
end, as a node does whose clients are elsewhere; those `_both_ends` the client's as well.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import platform
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Iterator

from kindling import Agent, Controller, EnableBpfStats
from overhead import SETTLE_S, machine, median_interval, say
from servers import LOAD_CPU, SERVER_CPU, pinned

PORT = 8080


class Place:
    """A namespace with a server in it; removed with the object."""

    def __init__(self, net_load: Path) -> None:
        self.name = f"kd-bench-{os.getpid()}"
        self._net_load = str(net_load)
        subprocess.run(["ip", "netns", "add", self.name], check=True)
        try:
            subprocess.run(["ip", "-n", self.name, "link", "set", "lo", "up"], check=True)
            self._server = subprocess.Popen(
                self._inside(SERVER_CPU, "serve", str(PORT)), stdout=subprocess.PIPE, text=True)
            if not self._server.stdout.readline().startswith("ready:"):
                raise SystemExit("the server did not start")
        except BaseException:
            self._remove()
            raise

    def _inside(self, cpu: str, *arguments: str) -> list[str]:
        return pinned(cpu, "ip", "netns", "exec", self.name, self._net_load, *arguments)

    @property
    def server_pid(self) -> int:
        return self._server.pid  # taskset and ip become what they start

    @property
    def path(self) -> str:
        return f"/run/netns/{self.name}"

    def run(self, *arguments: str) -> float:
        """What a client measured."""
        done = subprocess.run(self._inside(LOAD_CPU, *arguments), check=True, capture_output=True, text=True,
                              timeout=300)
        return float(next(iter(json.loads(done.stdout).values())))

    def segments(self) -> int:
        """Segments that TCP has sent in the namespace so far."""
        text = subprocess.run(["ip", "netns", "exec", self.name, "cat", "/proc/net/snmp"], check=True,
                              capture_output=True, text=True).stdout
        names, values = (line.split() for line in text.splitlines() if line.startswith("Tcp:"))
        return int(dict(zip(names, values))["OutSegs"])

    def stop(self) -> None:
        self._server.terminate()
        self._server.wait(timeout=20)
        self._remove()

    def _remove(self) -> None:
        subprocess.run(["ip", "netns", "del", self.name], check=False)


class Bench:
    def __init__(self, arguments: argparse.Namespace, root: Path, place: Place) -> None:
        self.root = root
        self.place = place
        self.bin_dir = arguments.bin_dir.resolve()
        self.pairs = arguments.pairs
        self.loads = {"connections_per_s": ("connect", str(PORT), str(arguments.connections)),
                      "throughput": ("bulk", str(PORT), str(arguments.seconds))}
        self.connections = arguments.connections
        self.controller = Controller(self.bin_dir, root / "controller")

    @contextlib.contextmanager
    def agent(self, scope: str) -> Iterator[Agent]:
        agent = Agent(self.bin_dir, self.root / "agent", self.controller, scope)
        try:
            yield agent
        finally:
            agent.stop()

    def once(self) -> dict[str, float]:
        return {name: self.place.run(*load) for name, load in self.loads.items()}

    def measure(self, scope: str, suffix: str) -> dict:
        ratios: dict[str, list[float]] = {}
        off: dict[str, float] = {}
        self.once()  # warms up
        for pair in range(self.pairs):
            off1 = self.once()
            with self.agent(scope):
                on = self.once()
            off2 = self.once()
            for name in self.loads:
                off[name] = (off1[name] + off2[name]) / 2
                ratios.setdefault(name, []).append(on[name] / off[name])
                ratios.setdefault(f"aa_{name}", []).append(off2[name] / off1[name])
            say(f"{pair + 1}/{self.pairs}{suffix}: " + ", ".join(
                f"{name} {off[name]:.3g}, {ratios[name][-1]:.3f} with the agent, a/a {ratios[f'aa_{name}'][-1]:.3f}"
                for name in self.loads))
        result = {}
        for name in self.loads:
            middle, low, high = median_interval(ratios[name])
            result[f"{name}_ratio{suffix}"] = round(middle, 4)
            result[f"{name}_ratio{suffix}_interval"] = [round(low, 4), round(high, 4)]
            aa = median_interval(ratios[f"aa_{name}"])
            result[f"{name}_aa_spread{suffix}"] = round(max(abs(1 - aa[1]), abs(1 - aa[2])), 4)
            result[f"{name}{suffix}"] = round(off[name])
        return result

    def costs(self) -> dict:
        """Of the kernel's programs and the agent, watching the server's end; and what was seen."""
        result = {}
        with EnableBpfStats(), self.agent(f"pids: [{self.place.server_pid}]") as agent:
            for name, load in self.loads.items():
                before, segments = agent.cost(), self.place.segments()
                self.place.run(*load)
                time.sleep(SETTLE_S)
                after = agent.cost()
                segments = self.place.segments() - segments
                bpf_ns, cpu_ns = after.bpf_ns - before.bpf_ns, after.cpu_ns - before.cpu_ns
                if name == "throughput":
                    result["bpf_ns_per_packet"] = round(bpf_ns / segments, 2)
                    result["bulk_segments"] = segments
                else:
                    result["bpf_ns_per_packet_short"] = round(bpf_ns / segments, 2)
                    result["bpf_us_per_connection"] = round(bpf_ns / 1e3 / self.connections, 3)
                    result["agent_us_per_connection"] = round(cpu_ns / 1e3 / self.connections, 3)
        # The agent has ended: what it had left it has sent, and been told that it is durable.
        seen = self.controller.accepts(f"net_load:{PORT}")
        result["connections_seen_ratio"] = round(seen / (self.connections + 1), 6)
        return result


def main() -> int:
    parser = argparse.ArgumentParser(prog="./dev bench network", description=__doc__)
    parser.add_argument("--bin-dir", type=Path, required=True, help=argparse.SUPPRESS)
    parser.add_argument("--pairs", type=int, default=11, help="interleaved runs (11)")
    parser.add_argument("--connections", type=int, default=50_000, help="short connections of one run (50000)")
    parser.add_argument("--seconds", type=float, default=2.0, help="length of one bulk transfer (2)")
    arguments = parser.parse_args()

    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what was made is removed
    root = Path(tempfile.mkdtemp(prefix="kindling-bench-"))
    place = Place(arguments.bin_dir.resolve() / "net_load")
    try:
        bench = Bench(arguments, root, place)
        report = bench.costs()
        report |= bench.measure(f"pids: [{place.server_pid}]", "")
        report |= bench.measure(f"network_namespaces: [{place.path}]", "_both_ends")
        bench.controller.stop()
    finally:
        place.stop()
        shutil.rmtree(root, ignore_errors=True)
    print(json.dumps(report | {
        "pairs": arguments.pairs,
        "connections": arguments.connections,
        "pinning": f"server on processor {SERVER_CPU}; load, agent and controller on {LOAD_CPU}",
        "machine": machine(),
        "kernel": platform.release(),
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
    }, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
