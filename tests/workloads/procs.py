"""Starts, watches and ends the demo's processes.

Threads: none. Failure: check() raises ChildDied, with the end of the dead one's log, when a process has ended by itself.
"""

import os
import pwd
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Callable

_ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "LANG": "C.UTF-8", "HOME": "/nonexistent",
    "PYTHONDONTWRITEBYTECODE": "1", "PYTHONNOUSERSITE": "1",
}


class ChildDied(Exception):
    """A process of the demo ended, or did not become ready."""


@dataclass
class Child:
    name: str
    process: subprocess.Popen[bytes]
    log: Path
    log_start: int = 0
    """Where its own lines begin: a child that is started again writes to the same file."""

    @property
    def pid(self) -> int:
        return self.process.pid

    def log_end(self, lines: int = 12) -> str:
        text = self.log.read_text(encoding="utf-8", errors="replace").splitlines()
        return "\n".join(f"  | {line}" for line in text[-lines:]) or "  | (its log is empty)"


def existing_user(*names: str) -> str:
    for name in names:
        try:
            pwd.getpwnam(name)
            return name
        except KeyError:
            continue
    raise KeyError(f"no such user: {', '.join(names)}")


def command_in(argv: list[str], namespace: str | None, user: str | None,
               cgroup: Path | None = None) -> list[str]:
    """The command that becomes argv inside a control group and a network namespace, as a user; it keeps its pid."""
    prefix: list[str] = []
    if cgroup is not None:
        prefix += ["sh", "-c", 'echo $$ >"$0" && exec "$@"', str(cgroup / "cgroup.procs")]
    if namespace is not None:
        prefix += ["ip", "netns", "exec", namespace]
    if user is not None:
        entry = pwd.getpwnam(user)
        prefix += ["setpriv", f"--reuid={entry.pw_uid}", f"--regid={entry.pw_gid}",
                   "--clear-groups", "--"]
    return prefix + argv


class Supervisor:
    """Owns the children of one demo, in the order of their start."""

    def __init__(self, log_directory: Path, on_start: Callable[[int], None],
                 cgroup: Path | None = None) -> None:
        self._logs = log_directory
        self._cgroup = cgroup
        self._on_start = on_start
        self._children: list[Child] = []

    def spawn(self, name: str, argv: list[str], *, namespace: str | None = None,
              user: str | None = None, stdout: IO[bytes] | None = None) -> Child:
        """Standard error, and output unless it is given, go to a log file of the child's name."""
        log = self._logs / f"{name}.log"
        log_start = log.stat().st_size if log.exists() else 0
        with log.open("ab") as sink:
            process = subprocess.Popen(command_in(argv, namespace, user, self._cgroup),
                                       stdin=subprocess.DEVNULL, stdout=stdout or sink,
                                       stderr=sink, env=_ENVIRONMENT, cwd=self._logs,
                                       start_new_session=True)
        child = Child(name, process, log, log_start)
        self._children.append(child)
        self._on_start(process.pid)
        return child

    def run(self, name: str, argv: list[str], *, namespace: str | None = None,
            user: str | None = None, timeout_s: float = 60.0) -> None:
        """Runs a command that ends by itself and must end well."""
        child = self.spawn(name, argv, namespace=namespace, user=user)
        self.wait(child, timeout_s)

    def wait(self, child: Child, timeout_s: float) -> None:
        deadline = time.monotonic() + timeout_s
        while child.process.poll() is None:
            self.check(besides=child)
            if time.monotonic() > deadline:
                raise ChildDied(f"{child.name} did not end within {timeout_s:.0f} s:\n{child.log_end()}")
            time.sleep(0.02)
        self._children.remove(child)
        if child.process.returncode != 0:
            raise ChildDied(f"{child.name} ended with {_describe(child.process.returncode)}:\n"
                            f"{child.log_end()}")

    def check(self, besides: Child | None = None) -> None:
        for child in self._children:
            if child is not besides and (code := child.process.poll()) is not None:
                raise ChildDied(f"{child.name} ended with {_describe(code)}; the end of its log:\n"
                                f"{child.log_end()}")

    def wait_until(self, child: Child, ready: Callable[[], bool], what: str,
                   timeout_s: float = 30.0) -> None:
        deadline = time.monotonic() + timeout_s
        while not ready():
            self.check()
            if time.monotonic() > deadline:
                raise ChildDied(f"{child.name}: {what} did not come within {timeout_s:.0f} s:\n"
                                f"{child.log_end()}")
            time.sleep(0.02)

    def wait_for_line(self, child: Child, text: str, timeout_s: float = 30.0) -> str:
        """Waits for a line of this child that contains text; returns the line."""
        found: list[str] = []

        def look() -> bool:
            log = child.log.read_bytes()[child.log_start:].decode("utf-8", "replace")
            found[:] = [line for line in log.splitlines() if text in line]
            return bool(found)

        self.wait_until(child, look, f"a line with {text!r} in its log", timeout_s)
        return found[-1]

    def stop(self, children: list[Child], timeout_s: float = 15.0) -> list[Child]:
        """Asks all to end, waits, then kills what is left; returns those that had to be killed."""
        for child in children:
            if child.process.poll() is None:
                child.process.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + timeout_s
        killed = []
        for child in children:
            try:
                child.process.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                os.killpg(child.pid, signal.SIGKILL)  # its own session: nothing else is in it
                child.process.wait()
                killed.append(child)
            self._children.remove(child)
        return killed

    def kill(self, child: Child) -> None:
        """Ends a child as a crash would."""
        os.killpg(child.pid, signal.SIGKILL)
        child.process.wait()
        self._children.remove(child)

    def forget(self, child: Child) -> None:
        """Ends a child that did not become ready, and no longer looks after it."""
        self.stop([child], timeout_s=1.0)

    def stop_all(self) -> None:
        self.stop(list(reversed(self._children)), timeout_s=5.0)


def _describe(code: int) -> str:
    return f"signal {signal.Signals(-code).name}" if code < 0 else f"status {code}"
