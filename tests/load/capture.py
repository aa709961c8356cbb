"""What a capture of packets takes: full-size packets at a fixed rate over a veth pair, captured to a file by Kindling's
parts alone (capture, merge, file: `capture_packets`), by the whole path (agent, controller, kindlingctl), and by tcpdump
with the same filter, on the same disk.

Prints one JSON object on standard output: medians over interleaved runs. CPU is that of the capturing processes, kernel
time included, for each packet. `*_lost` are packets that were sent and are in no file.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
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

from kindling import Agent, Controller
from overhead import machine, say

PORT = 9009
PAYLOAD_BYTES = 1472
FRAME_BYTES = PAYLOAD_BYTES + 42
EXPRESSION = f"udp port {PORT}"
SETTLE_S = 1.0
TCPDUMP_BUFFER_KIB = 32768  # as large as Kindling's ring


class Pair:
    """Two namespaces joined by a veth pair; removed with the object."""

    def __init__(self) -> None:
        self.sender, self.receiver = (f"kd-bench-{os.getpid()}-{end}" for end in "sr")
        try:
            for name in (self.sender, self.receiver):
                subprocess.run(["ip", "netns", "add", name], check=True)
            subprocess.run(["ip", "link", "add", "eth0", "netns", self.sender, "type", "veth", "peer", "name", "eth0",
                            "netns", self.receiver], check=True)
            for name, address in ((self.sender, "10.78.0.1"), (self.receiver, "10.78.0.2")):
                subprocess.run(["ip", "-n", name, "addr", "add", f"{address}/24", "dev", "eth0"], check=True)
                for link in ("lo", "eth0"):
                    subprocess.run(["ip", "-n", name, "link", "set", link, "up"], check=True)
            # Nobody has the port; without this each datagram would be answered.
            subprocess.run(["ip", "netns", "exec", self.receiver, "nft", "-f", "-"], check=True, text=True, input=(
                "add table ip quiet\nadd chain ip quiet in { type filter hook input priority 0; }\n"
                f"add rule ip quiet in udp dport {PORT} drop\n"))
        except BaseException:
            self.remove()
            raise

    @property
    def path(self) -> str:
        return f"/run/netns/{self.receiver}"

    def inside(self, *command: str) -> list[str]:
        return ["ip", "netns", "exec", self.receiver, *command]

    def send(self, udp_load: Path, mbit: float, seconds: float) -> dict:
        done = subprocess.run(["ip", "netns", "exec", self.sender, str(udp_load), "10.78.0.2", str(PORT),
                               str(PAYLOAD_BYTES), str(mbit), str(seconds)], check=True, capture_output=True, text=True)
        return json.loads(done.stdout)

    def remove(self) -> None:
        for name in (self.sender, self.receiver):
            subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False)


@dataclass
class Result:
    sent: int
    kept: int
    cpu_s: float
    mb_per_s: float

    @property
    def cpu_us(self) -> float:
        return self.cpu_s / max(1, self.kept) * 1e6


def cpu_of(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Bench:
    def __init__(self, arguments: argparse.Namespace, root: Path, pair: Pair) -> None:
        self.root, self.pair = root, pair
        self.bin_dir = arguments.bin_dir.resolve()
        self.mbit, self.seconds = arguments.mbit, arguments.seconds

    def load(self) -> dict:
        time.sleep(SETTLE_S)
        sent = self.pair.send(self.bin_dir / "udp_load", self.mbit, self.seconds)
        time.sleep(SETTLE_S)
        return sent

    def _result(self, load: dict, kept: int, cpu_s: float) -> Result:
        return Result(load["sent"], kept, cpu_s, kept * FRAME_BYTES / load["seconds"] / 1e6)

    def parts(self) -> Result:
        """Kindling's capture and file in one process."""
        out = self.root / "parts.pcapng"
        child = subprocess.Popen([str(self.bin_dir / "capture_packets"), "--netns", self.pair.path, "--out", str(out),
                                  "--filter", EXPRESSION], stdout=subprocess.PIPE, text=True)
        child.stdout.readline()
        load = self.load()
        child.send_signal(signal.SIGTERM)
        report = json.loads(child.communicate(timeout=60)[0])
        out.unlink()
        return self._result(load, report["written"], report["cpu_s"])

    def tcpdump(self) -> Result:
        out = self.root / "tcpdump.pcap"
        child = subprocess.Popen(self.pair.inside("tcpdump", "-i", "eth0", "-p", "-n", "-Z", "root", "-B",
                                                  str(TCPDUMP_BUFFER_KIB), "-w", str(out), EXPRESSION),
                                 stderr=subprocess.PIPE, text=True)
        while "listening on" not in child.stderr.readline():
            pass
        load = self.load()
        cpu = cpu_of(child.pid)
        child.send_signal(signal.SIGTERM)
        said = child.communicate(timeout=60)[1]
        kept = int(re.search(r"(\d+) packets captured", said).group(1))
        out.unlink()
        return self._result(load, kept, cpu)

    def _kindlingctl(self, controller: Controller, out: Path) -> subprocess.Popen[str]:
        """It captures by when this returns. An agent may be ready a moment before it waits for tasks."""
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            child = subprocess.Popen([str(self.bin_dir / "kindlingctl"), "--controller", controller.address, "capture",
                                      "packets", "-w", str(out), "--max", "4GB", "--for", "5m", "-f", EXPRESSION],
                                     stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            while child.poll() is None:
                if out.exists():
                    return child
                time.sleep(0.02)
        raise SystemExit(f"kindlingctl does not capture: {child.stderr.read()}")

    def whole(self, controller: Controller) -> tuple[Result, float]:
        """Agent, controller and kindlingctl; also the agent's CPU alone."""
        out = self.root / "whole.pcapng"
        agent = Agent(self.bin_dir, self.root / "agent", controller, f"network_namespaces: ['{self.pair.path}']", cpu=None)
        try:
            child = self._kindlingctl(controller, out)
            pids = [agent.pid, controller.pid, child.pid]
            before = [cpu_of(pid) for pid in pids]
            load = self.load()
            used = [cpu_of(pid) - then for pid, then in zip(pids, before)]
            child.send_signal(signal.SIGINT)
            said = child.communicate(timeout=60)[0]
        finally:
            agent.stop()
        kept = int(re.search(r"^(\d+) packets? in ", said, re.MULTILINE).group(1))
        out.unlink()
        return self._result(load, kept, sum(used)), used[0]


def median(results: list[Result], of: Callable[[Result], float]) -> float:
    return statistics.median(of(result) for result in results)


@contextlib.contextmanager
def controller_in(bin_dir: Path, root: Path) -> Iterator[Controller]:
    controller = Controller(bin_dir, root, cpu=None)
    try:
        yield controller
    finally:
        controller.stop()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin-dir", type=Path, required=True)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--mbit", type=float, default=1000, help="Mbit/s, Ethernet header included")
    parser.add_argument("--seconds", type=float, default=5)
    arguments = parser.parse_args()
    root = Path(tempfile.mkdtemp(prefix="kindling-bench-"))
    pair = Pair()
    parts: list[Result] = []
    tcpdump: list[Result] = []
    whole: list[Result] = []
    agent_cpu_us: list[float] = []
    try:
        bench = Bench(arguments, root, pair)
        with controller_in(bench.bin_dir, root / "controller") as controller:
            for run in range(arguments.runs):
                parts.append(bench.parts())
                tcpdump.append(bench.tcpdump())
                result, agent_s = bench.whole(controller)
                whole.append(result)
                agent_cpu_us.append(agent_s / max(1, result.kept) * 1e6)
                say(f"{run + 1}/{arguments.runs}: " + ", ".join(
                    f"{name} {r[-1].mb_per_s:.1f} MB/s, {r[-1].sent - r[-1].kept} of {r[-1].sent} lost, "
                    f"{r[-1].cpu_us:.2f} us a packet"
                    for name, r in (("parts", parts), ("tcpdump", tcpdump), ("whole", whole))))
    finally:
        pair.remove()
        shutil.rmtree(root, ignore_errors=True)
    report = {
        "capture_mb_per_s": median(parts, lambda r: r.mb_per_s),
        "capture_lost": max(r.sent - r.kept for r in parts),
        "capture_cpu_us_per_packet": median(parts, lambda r: r.cpu_us),
        "tcpdump_lost": max(r.sent - r.kept for r in tcpdump),
        "tcpdump_cpu_us_per_packet": median(tcpdump, lambda r: r.cpu_us),
        "capture_cpu_vs_tcpdump": statistics.median(p.cpu_us / t.cpu_us for p, t in zip(parts, tcpdump)),
        "whole_mb_per_s": median(whole, lambda r: r.mb_per_s),
        "whole_lost": max(r.sent - r.kept for r in whole),
        "whole_cpu_us_per_packet": median(whole, lambda r: r.cpu_us),
        "whole_agent_cpu_us_per_packet": statistics.median(agent_cpu_us),
        "whole_cpu_vs_tcpdump": statistics.median(w.cpu_us / t.cpu_us for w, t in zip(whole, tcpdump)),
        "sent_per_run": round(median(parts, lambda r: r.sent)),
        "mbit": arguments.mbit, "seconds": arguments.seconds, "runs": arguments.runs,
        "machine": machine(), "kernel": platform.release(), "load_average": os.getloadavg()[0],
    }
    json.dump(report, sys.stdout, indent=2)
    print()


if __name__ == "__main__":
    main()
