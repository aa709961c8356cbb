"""Kindling's own programs as a bench runs them, and what they cost."""

from __future__ import annotations

import ctypes
import json
import os
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from servers import LOAD_CPU, free_port, pinned

READY_TIMEOUT_S = 60
_SK_STORAGE = 24  # BPF_MAP_TYPE_SK_STORAGE
_STORAGE_ELEMENT_BYTES = 64  # struct bpf_local_storage_elem around the value; kmalloc rounds up to a power of two


class Program:
    """A child that prints a line beginning with `ready:` when it is up."""

    def __init__(self, name: str, command: list[str], log: Path, cpu: str | None = LOAD_CPU) -> None:
        self.name = name
        self.log = log
        with log.open("wb") as out:
            self.process = subprocess.Popen(
                pinned(cpu, *command), stdin=subprocess.DEVNULL, stdout=out, stderr=out
            )
        deadline = time.monotonic() + READY_TIMEOUT_S
        while not any(line.startswith("ready:") for line in log.read_text(errors="replace").splitlines()):
            if self.process.poll() is not None or time.monotonic() > deadline:
                tail = "\n".join(log.read_text(errors="replace").splitlines()[-15:])
                raise SystemExit(f"{name} did not become ready; the end of its log:\n{tail}")
            time.sleep(0.02)

    @property
    def pid(self) -> int:
        return self.process.pid

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(timeout=30)


class Controller(Program):
    def __init__(self, bin_dir: Path, root: Path, cpu: str | None = LOAD_CPU) -> None:
        root.mkdir(parents=True)
        self.address = f"127.0.0.1:{free_port()}"
        self._ctl = bin_dir / "kindlingctl"
        config = root / "controller.yaml"
        config.write_text(f"listen: {self.address}\ndata_directory: {root}/data\n")
        super().__init__(
            "kindling-controller", [str(bin_dir / "kindling-controller"), "--config", str(config)], root / "log",
            cpu
        )

    def requests(self, server: str) -> int:
        """Requests that the controller has counted for one server, by the server's own view."""
        return sum(int(edge.get("serverView", {}).get("requestCount", 0)) for edge in self._get("edges")
                   if edge["server"] == server)

    def accepts(self, server: str) -> int:
        """Connections that one server has accepted, as the controller has counted."""
        return sum(int(edge.get("accepts", 0)) for edge in self._get("tcp") if edge["server"] == server)

    def _get(self, what: str) -> list[dict]:
        out = subprocess.run(
            [str(self._ctl), "--controller", self.address, "--since", "12h", "get", what, "-o", "json"],
            capture_output=True, text=True, check=False,
        )
        if out.returncode not in (0, 3):
            raise SystemExit(f"kindlingctl get {what}: {out.stderr.strip()}")
        return json.loads(out.stdout).get("edges", [])


class Agent(Program):
    def __init__(self, bin_dir: Path, root: Path, controller: Controller, scope: str,
                 cpu: str | None = LOAD_CPU) -> None:
        root.mkdir(parents=True, exist_ok=True)
        config = root / "agent.yaml"
        config.write_text(
            f"agent_id: bench\nhost: bench\ncontroller: {{address: '{controller.address}'}}\n"
            f"scope: {{{scope}}}\nspool: {{directory: {root}/spool}}\n"
            f"metrics_listen: 'off'\nwindow_s: 1\n"
        )
        super().__init__("kindling-agent", [str(bin_dir / "kindling-agent"), "--config", str(config)], root / "log",
                         cpu)

    def cost(self) -> Cost:
        return read_cost(self.pid)


@dataclass(frozen=True)
class Cost:
    """What one process has used since it started."""

    cpu_ns: int  # user + system, all threads
    bpf_ns: int  # time in its BPF programs; counted only while EnableBpfStats is alive
    bpf_runs: int
    rss_bytes: int
    bpf_bytes: int  # memory of its maps and programs; not what hangs on sockets, see socket_storage_bytes


def _fdinfo(pid: int) -> list[dict[str, str]]:
    out = []
    for path in Path(f"/proc/{pid}/fdinfo").iterdir():
        try:
            lines = path.read_text().splitlines()
        except OSError:
            continue
        out.append(dict(line.split(":", 1) for line in lines if ":" in line))
    return out


def _cpu_clock(pid: int) -> int:
    """clock_getcpuclockid(3): all threads of a process, also those that have ended."""
    return (~pid << 3) | 2


def read_cost(pid: int) -> Cost:
    status = Path(f"/proc/{pid}/status").read_text()
    rss_kib = int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1])
    infos = _fdinfo(pid)
    programs = {info["prog_id"].strip(): info for info in infos if "prog_id" in info and "run_time_ns" in info}
    maps = {info["map_id"].strip(): info for info in infos if "map_id" in info}
    return Cost(
        cpu_ns=time.clock_gettime_ns(_cpu_clock(pid)),
        bpf_ns=sum(int(info["run_time_ns"]) for info in programs.values()),
        bpf_runs=sum(int(info["run_cnt"]) for info in programs.values()),
        rss_bytes=rss_kib * 1024,
        bpf_bytes=sum(int(info.get("memlock", "0")) for info in [*maps.values(), *programs.values()]),
    )


def socket_storage_bytes(pid: int) -> int:
    """What one watched socket takes in the maps of socket storage, whose elements the kernel does not count."""
    maps = {info["map_id"].strip(): info for info in _fdinfo(pid) if "map_id" in info}
    values = [int(info["value_size"]) for info in maps.values() if int(info["map_type"]) == _SK_STORAGE]
    return sum(1 << (value + _STORAGE_ELEMENT_BYTES - 1).bit_length() for value in values)


class EnableBpfStats:
    """Turns the kernel's BPF run-time statistics on while it lives: BPF_ENABLE_STATS of bpf(2)."""

    _SYS_BPF = 321  # x86-64
    _BPF_ENABLE_STATS = 32

    def __enter__(self) -> EnableBpfStats:
        attr = ctypes.create_string_buffer(128)  # type 0: BPF_STATS_RUN_TIME
        libc = ctypes.CDLL(None, use_errno=True)
        self._fd = libc.syscall(self._SYS_BPF, self._BPF_ENABLE_STATS, attr, 128)
        if self._fd < 0:
            raise SystemExit(f"BPF statistics: {os.strerror(ctypes.get_errno())}")
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._fd)
