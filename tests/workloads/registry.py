"""What demos have made on this machine, written down before it is made, so that it can be removed after a crash.

One JSON file per demo in /run/kindling-demo, owned by root. Only what stands there is ever removed.
"""

import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

import cgroups

BASE = Path("/run/kindling-demo")
_DIRECTORY_PREFIX = "kindling-demo-"
NAMESPACE_PREFIX = "kd-"


def start_ticks(pid: int) -> int | None:
    """When a process started, in clock ticks since boot: with the pid, a name that is never reused."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    fields = stat.rpartition(")")[2].split()
    return None if fields[0] in ("Z", "X") else int(fields[19])


@dataclass
class Entry:
    name: str
    owner_pid: int
    owner_ticks: int
    detached: bool
    directory: str
    cgroup: str = ""
    namespaces: list[str] = field(default_factory=list)
    processes: list[tuple[int, int]] = field(default_factory=list)
    """(pid, start ticks) of every child."""

    @property
    def file(self) -> Path:
        return BASE / f"{self.name}.json"

    def save(self) -> None:
        temporary = self.file.with_suffix(".new")
        temporary.write_text(json.dumps(asdict(self)), encoding="utf-8")
        os.replace(temporary, self.file)

    def owner_alive(self) -> bool:
        return start_ticks(self.owner_pid) == self.owner_ticks

    def add_process(self, pid: int) -> None:
        ticks = start_ticks(pid)
        if ticks is not None:
            self.processes.append((pid, ticks))
            self.save()


def make_directory() -> Path:
    """The one directory below which a demo keeps everything; short, for the paths of unix sockets."""
    directory = Path(tempfile.mkdtemp(prefix=_DIRECTORY_PREFIX, dir="/tmp"))
    directory.chmod(0o755)
    return directory


def _open_base() -> None:
    BASE.mkdir(mode=0o755, exist_ok=True)
    if BASE.stat().st_uid != 0 or BASE.is_symlink():
        raise PermissionError(f"{BASE} does not belong to root: remove it")


def create(detached: bool) -> Entry:
    _open_base()
    pid = os.getpid()
    ticks = start_ticks(pid)
    assert ticks is not None
    entry = Entry(name=f"{NAMESPACE_PREFIX}{pid}", owner_pid=pid, owner_ticks=ticks,
                  detached=detached, directory=str(make_directory()))
    entry.save()
    if group := cgroups.make(entry.name):
        entry.cgroup = str(group)
        entry.save()
    return entry


def load_all() -> list[Entry]:
    entries = []
    for file in sorted(BASE.glob(f"{NAMESPACE_PREFIX}*.json")):
        try:
            entry = Entry(**json.loads(file.read_text(encoding="utf-8")))
            entry.processes = [(int(pid), int(ticks)) for pid, ticks in entry.processes]
            entries.append(entry)
        except FileNotFoundError:
            continue
        except (ValueError, TypeError):
            print(f"{file} is damaged; left alone: remove it by hand")
    return entries


def _namespace_processes(namespace: str) -> list[tuple[int, int]]:
    """Everything inside a namespace that a demo made is the demo's."""
    listed = subprocess.run(["ip", "netns", "pids", namespace], capture_output=True, text=True,
                            check=False)
    found = [(int(word), start_ticks(int(word))) for word in listed.stdout.split()]
    return [(pid, ticks) for pid, ticks in found if ticks is not None]


def _kill(processes: list[tuple[int, int]], number: signal.Signals, wait_s: float) -> None:
    def alive() -> list[tuple[int, int]]:
        return [(pid, ticks) for pid, ticks in processes if start_ticks(pid) == ticks]

    for pid, _ in alive():
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            pass
    deadline = time.monotonic() + wait_s
    while alive() and time.monotonic() < deadline:
        time.sleep(0.02)


def remove(entry: Entry) -> None:
    """Removes all that the entry lists, then the entry. May be called again after a failure."""
    _kill(entry.processes, signal.SIGTERM, wait_s=5.0)
    for namespace in entry.namespaces:
        if not namespace.startswith(NAMESPACE_PREFIX):
            raise ValueError(f"{entry.file}: {namespace!r} is no namespace of a demo")
        leftovers = _namespace_processes(namespace)
        _kill([*entry.processes, *leftovers], signal.SIGKILL, wait_s=5.0)
        subprocess.run(["ip", "netns", "del", namespace], capture_output=True, check=False)
        shutil.rmtree(Path("/etc/netns") / namespace, ignore_errors=True)
    _kill(entry.processes, signal.SIGKILL, wait_s=5.0)
    if entry.cgroup and Path(entry.cgroup).name == entry.name:
        cgroups.remove(Path(entry.cgroup))
    directory = Path(entry.directory)
    if directory.parent != Path("/tmp") or not directory.name.startswith(_DIRECTORY_PREFIX):
        raise ValueError(f"{entry.file}: {directory} is no directory of a demo")
    shutil.rmtree(directory, ignore_errors=True)
    entry.file.unlink(missing_ok=True)


def sweep() -> list[str]:
    """Removes what demos left whose owner is gone; returns their names."""
    swept = []
    for entry in load_all():
        if not entry.owner_alive():
            remove(entry)
            swept.append(entry.name)
    return swept


def stop_detached(wait_s: float) -> list[str]:
    """Ends every detached demo and waits until it has removed what it made."""
    stopped = []
    for entry in load_all():
        if not entry.detached:
            continue
        _kill([(entry.owner_pid, entry.owner_ticks)], signal.SIGTERM, wait_s)
        if entry.file.exists():
            _kill([(entry.owner_pid, entry.owner_ticks)], signal.SIGKILL, wait_s=5.0)
            remove(next((e for e in load_all() if e.name == entry.name), entry))
        stopped.append(entry.name)
    return stopped
