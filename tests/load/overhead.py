"""What watching costs: nginx and redis without and with the agent, and with tcpdump as the old way.

Prints one JSON object on standard output. Every ratio is the median over interleaved runs
(off, on, off, tcpdump), so that the drift of the machine falls on both sides alike; `aa_spread` is how far two
runs without the agent differ, and a ratio closer to 1 than that says nothing. The server is pinned to processor 0,
load generator, agent and controller to processor 1. The generators are outside the agent's scope: one side of each
request is seen.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import platform
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Iterator

from kindling import Agent, Controller, EnableBpfStats, socket_storage_bytes
from servers import LOAD_CPU, SERVER_CPU, Nginx, Redis, Server, pinned

CONNECTIONS = 32
# Of what the server reaches unwatched: latency is compared where the server is not saturated.
PACED_SHARE = 0.4
# The agent's window is 1 s: by then it has drained, summed up and sent what the load made.
SETTLE_S = 1.5


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def median_interval(values: list[float]) -> tuple[float, float, float]:
    """Median and the interval of its order statistics that holds it with about 95 %."""
    ordered = sorted(values)
    n = len(ordered)
    reach = int(round(0.98 * n**0.5))
    low, high = max(0, n // 2 - reach), min(n - 1, n // 2 + reach)
    return statistics.median(ordered), ordered[low], ordered[high]


@dataclass
class Workload:
    name: str
    make_server: Callable[[Path], Server]
    path: str = ""  # nginx
    pipeline: int = 0  # redis

    def saturate(self, server: Server, seconds: float) -> float:
        """Requests per second that the server reaches."""
        if self.path:
            # wrk takes whole seconds.
            out = self._run("wrk", "-t1", f"-c{CONNECTIONS}", f"-d{max(1, round(seconds))}s",
                            f"http://127.0.0.1:{server.port}{self.path}")
            return float(re.search(r"Requests/sec:\s*([\d.]+)", out).group(1))
        requests = int(seconds * (700_000 if self.pipeline > 1 else 80_000))
        out = self._run("redis-benchmark", "-p", str(server.port), "-t", "get", "-n", str(requests),
                        "-c", str(CONNECTIONS), "-P", str(self.pipeline), "--csv")
        return float(re.search(r'"GET[^"]*","([\d.]+)"', out).group(1))

    def p99_us(self, paced: Path, server: Server, rate: float, seconds: float) -> float:
        batch = max(1, self.pipeline)  # sent as one, answered when all are
        request = (f"GET {self.path} HTTP/1.1\\r\\nHost: bench\\r\\n\\r\\n" if self.path
                   else batch * "*2\\r\\n$3\\r\\nGET\\r\\n$5\\r\\npaced\\r\\n")
        out = self._run(str(paced), "--port", str(server.port), "--request", request, "--connections",
                        str(CONNECTIONS), "--rate", f"{rate / batch:.0f}", "--seconds", str(seconds))
        return float(json.loads(out)["p99_us"])

    @staticmethod
    def _run(*command: str) -> str:
        return subprocess.run(pinned(LOAD_CPU, *command), check=True, capture_output=True,
                              text=True, timeout=120).stdout


@contextlib.contextmanager
def tcpdump(port: int) -> Iterator[None]:
    process = subprocess.Popen(
        pinned(LOAD_CPU, "tcpdump", "-i", "lo", "-s", "256", "-w", "/dev/null", f"tcp port {port}"),
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    )
    process.stderr.readline()  # "listening on lo"
    try:
        yield
    finally:
        process.terminate()
        process.communicate(timeout=20)


@dataclass
class Watched:
    agent: Agent
    served: int = 0  # by the server's own count
    seen: int = 0  # at the controller

    @property
    def seen_ratio(self) -> float:
        return self.seen / max(1, self.served)


class Bench:
    def __init__(self, bin_dir: Path, root: Path, pairs: int, seconds: float) -> None:
        self.bin_dir = bin_dir
        self.root = root
        self.pairs = pairs
        self.seconds = seconds
        self.controller = Controller(bin_dir, root / "controller")

    @contextlib.contextmanager
    def agent(self, server: Server) -> Iterator[Agent]:
        agent = Agent(self.bin_dir, self.root / "agent", self.controller, f"pids: [{server.pid}]")
        try:
            yield agent
        finally:
            agent.stop()

    @contextlib.contextmanager
    def counted(self, server: Server) -> Iterator[Watched]:
        """The agent, and whether it saw what the server served meanwhile."""
        seen_before = self.controller.requests(server.name)
        with self.agent(server) as agent:
            watched = Watched(agent)
            served_before = server.requests()
            yield watched
            watched.served = server.requests() - served_before
        # The agent has ended: what it had left it has sent, and been told that it is durable.
        watched.seen = self.controller.requests(server.name) - seen_before - 1  # see Server.requests()

    def measure(self, workload: Workload) -> dict:
        server = workload.make_server(self.root / workload.name)
        try:
            return self._measure(workload, server)
        finally:
            server.stop()

    def _measure(self, workload: Workload, server: Server) -> dict:
        paced = self.bin_dir / "paced"
        rate = PACED_SHARE * workload.saturate(server, self.seconds)  # also warms up
        ratios: dict[str, list[float]] = {"throughput": [], "p99": [], "tcpdump": [], "aa": []}
        seen: list[float] = []
        for pair in range(self.pairs):
            off1 = workload.saturate(server, self.seconds)
            p99_off = workload.p99_us(paced, server, rate, self.seconds)
            with self.counted(server) as watched:
                on = workload.saturate(server, self.seconds)
                p99_on = workload.p99_us(paced, server, rate, self.seconds)
            seen.append(watched.seen_ratio)
            off2 = workload.saturate(server, self.seconds)
            with tcpdump(server.port):
                dump = workload.saturate(server, self.seconds)
            off = (off1 + off2) / 2
            ratios["throughput"].append(on / off)
            ratios["tcpdump"].append(dump / off)
            ratios["aa"].append(off2 / off1)
            ratios["p99"].append(p99_on / p99_off)
            say(f"{workload.name} {pair + 1}/{self.pairs}: {off:.0f}/s without, {on / off:.3f} with the agent, "
                f"{dump / off:.3f} with tcpdump, a/a {off2 / off1:.3f}")
        result, seen_ratio = self._costs(workload, server)
        result["requests_seen_ratio"] = round(min(seen_ratio, *seen), 6)
        for name, values in ratios.items():
            middle, low, high = median_interval(values)
            key = f"{name}_ratio" if name != "tcpdump" else "tcpdump_throughput_ratio"
            result[key] = round(middle, 4)
            result[f"{key}_interval"] = [round(low, 4), round(high, 4)]
        result["aa_spread"] = round(max(abs(1 - bound) for bound in result["aa_ratio_interval"]), 4)
        result["requests_per_second"] = round(rate / PACED_SHARE)
        return result

    def _costs(self, workload: Workload, server: Server) -> tuple[dict, float]:
        with EnableBpfStats(), self.counted(server) as watched:
            before = watched.agent.cost()
            workload.saturate(server, 3 * self.seconds)
            time.sleep(SETTLE_S)
            after = watched.agent.cost()
        bpf_ns = after.bpf_ns - before.bpf_ns
        cpu_ns = after.cpu_ns - before.cpu_ns
        served = max(1, watched.served)
        return {
            "requests": watched.served,
            "agent_cpu_us_per_request": round((cpu_ns + bpf_ns) / 1e3 / served, 3),
            "agent_user_us_per_request": round(cpu_ns / 1e3 / served, 3),
            "bpf_ns_per_call": round(bpf_ns / max(1, after.bpf_runs - before.bpf_runs), 1),
        }, watched.seen_ratio

    def foreign(self, server: Server) -> dict:
        """getppid() of a process outside the scope, wall clock."""
        clock = self.bin_dir / "syscall_clock"

        def once() -> float:
            return float(subprocess.run(pinned(SERVER_CPU, str(clock), "10"), check=True,
                                        capture_output=True, text=True).stdout)

        on_off, off_off = [], []
        for _ in range(self.pairs):
            off1 = once()
            with self.agent(server):
                on = once()
            off2 = once()
            on_off.append(on / ((off1 + off2) / 2))
            off_off.append(off2 / off1)
        middle, low, high = median_interval(on_off)
        aa = median_interval(off_off)
        return {
            "foreign_syscall_ratio": round(middle, 4),
            "foreign_syscall_ratio_interval": [round(low, 4), round(high, 4)],
            "foreign_aa_spread": round(max(abs(1 - aa[1]), abs(1 - aa[2])), 4),
        }

    def memory(self, server: Server, connections: int) -> dict:
        with self.agent(server) as agent:
            request = "GET /return HTTP/1.1\\r\\nHost: bench\\r\\n\\r\\n"
            load = subprocess.Popen(
                pinned(LOAD_CPU, str(self.bin_dir / "paced"), "--port", str(server.port), "--request",
                 request, "--connections", str(connections), "--rate", "5000", "--seconds",
                 str(max(1.0, connections / 2500)), "--hold", "5"),
                stdout=subprocess.PIPE, text=True,
            )
            load.stdout.readline()  # all connections have been used; they are held now
            time.sleep(2)
            cost = agent.cost()
            bpf_bytes = cost.bpf_bytes + connections * socket_storage_bytes(agent.pid)
            if load.poll() is not None:
                raise SystemExit("the connections were closed before memory was read")
            load.wait(timeout=60)
        return {
            "agent_rss_mb": round(cost.rss_bytes / 1e6, 1),
            "agent_bpf_mb": round(bpf_bytes / 1e6, 1),
            "agent_memory_connections": connections,
        }


def machine() -> str:
    cpu = next((line.split(":", 1)[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines()
                if line.startswith("model name")), platform.machine())
    count = sum(line.startswith("processor") for line in Path("/proc/cpuinfo").read_text().splitlines())
    return f"{count} x {cpu}"


def main() -> int:
    parser = argparse.ArgumentParser(prog="./dev bench overhead", description=__doc__)
    parser.add_argument("--bin-dir", type=Path, required=True, help=argparse.SUPPRESS)
    parser.add_argument("--pairs", type=int, default=31, help="interleaved runs per workload (31)")
    parser.add_argument("--seconds", type=float, default=1.0, help="length of one run (1)")
    parser.add_argument("--connections", type=int, default=10_000, help="open while memory is read (10000)")
    parser.add_argument("--only", help="one workload by name")
    arguments = parser.parse_args()

    workloads = [
        Workload("nginx_file", Nginx, path="/file"),
        Workload("nginx_return", Nginx, path="/return"),
        Workload("redis", Redis, pipeline=1),
        Workload("redis_pipelined", Redis, pipeline=16),
    ]
    if arguments.only:
        workloads = [w for w in workloads if w.name == arguments.only]
        if not workloads:
            parser.error(f"no workload {arguments.only}")

    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what was made is removed
    root = Path(tempfile.mkdtemp(prefix="kindling-bench-"))
    try:
        bench = Bench(arguments.bin_dir.resolve(), root, arguments.pairs, arguments.seconds)
        results = {workload.name: bench.measure(workload) for workload in workloads}
        idle = Nginx(root / "idle")
        try:
            summary = bench.foreign(idle) | bench.memory(idle, arguments.connections)
        finally:
            idle.stop()
        bench.controller.stop()
    finally:
        shutil.rmtree(root, ignore_errors=True)

    every = results.values()
    report = {
        "throughput_ratio": min(r["throughput_ratio"] for r in every),
        "p99_ratio": max(r["p99_ratio"] for r in every),
        "agent_cpu_us_per_request": max(r["agent_cpu_us_per_request"] for r in every),
        "bpf_ns_per_call": max(r["bpf_ns_per_call"] for r in every),
        "requests_seen_ratio": min(r["requests_seen_ratio"] for r in every),
        "tcpdump_throughput_ratio": min(r["tcpdump_throughput_ratio"] for r in every),
        "aa_spread": max(r["aa_spread"] for r in every),
        **summary,
        "pairs": arguments.pairs,
        "seconds": arguments.seconds,
        "pinning": f"server on processor {SERVER_CPU}; load, agent and controller on {LOAD_CPU}",
        "machine": machine(),
        "kernel": platform.release(),
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
        "workloads": results,
    }
    print(json.dumps(report, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
