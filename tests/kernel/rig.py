"""What the tests of the whole programs stand on: one network namespace of their own with Debian's servers in it, watched
by one agent and one controller. All of it is removed at the end, also after a failure (tests/workloads/registry.py).
"""

import unittest
from pathlib import Path
from typing import Any

import preflight
import registry
import servers
import topology
from kindling import Kindling, Programs, free_port
from procs import Supervisor

AGENT = "watched"


def require_capture() -> None:
    """A test that cannot run has failed."""
    if reason := preflight.why_not():
        raise AssertionError(f"this test captures: {reason}")


class HostsTest(unittest.TestCase):
    """A test with hosts of its own: what it makes and starts is removed, also after a failure."""

    def setUp(self) -> None:
        require_capture()
        self.entry = registry.create(detached=False)
        self.directory = Path(self.entry.directory)
        self.supervisor = Supervisor(self.directory, self.entry.add_process,
                                     Path(self.entry.cgroup) if self.entry.cgroup else None)
        self.addCleanup(self.close)

    def close(self) -> None:
        self.supervisor.stop_all()
        registry.remove(self.entry)


class TwoHostsTest(HostsTest):
    """With two hosts that a link joins."""

    def setUp(self) -> None:
        super().setUp()
        self.a, self.b = topology.create(self.entry)


class Rig:
    def __init__(self) -> None:
        require_capture()
        self.entry = registry.create(detached=False)
        self.directory = Path(self.entry.directory)
        self.supervisor = Supervisor(self.directory, self.entry.add_process,
                                     Path(self.entry.cgroup) if self.entry.cgroup else None)

    @classmethod
    def of_class(cls, test: type[unittest.TestCase]) -> "Rig":
        rig = cls()
        test.addClassCleanup(rig.close)
        rig.host = topology.create_one(rig.entry)
        rig.place = servers.Place(rig.supervisor, rig.host.namespace, rig.directory)
        return rig

    def close(self) -> None:
        self.supervisor.stop_all()
        registry.remove(self.entry)

    def client(self, name: str, command: str) -> None:
        """Runs a shell command in the namespace; its output is in its log."""
        self.supervisor.run(name, ["sh", "-c", command], namespace=self.host.namespace)

    def kindling(self, name: str, capture: dict[str, Any] | None = None) -> Kindling:
        """With a store, a spool and a port of its own; nothing is started."""
        directory = self.directory / name
        directory.mkdir()
        programs = Kindling(Programs.of_test(), self.supervisor, directory, capture)
        programs.address = f"127.0.0.1:{free_port()}"
        return programs

    def start_agent(self, kindling: Kindling) -> None:
        kindling.start_agents({AGENT: [self.host.namespace_path]})
