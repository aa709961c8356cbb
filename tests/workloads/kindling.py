"""Starts Kindling's own programs for a demo and asks them: one controller, an agent for each test host."""

import json
import socket
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from procs import Child, Supervisor

PROGRAMS = ("kindling-agent", "kindling-controller", "kindlingctl")
DEFAULT_PORT = 7420
_QUERY_TIMEOUT_S = 20


class KindlingError(Exception):
    """A program is missing or answered with an error."""


@dataclass(frozen=True)
class Programs:
    agent: Path
    controller: Path
    ctl: Path

    @classmethod
    def find(cls, directory: Path) -> "Programs":
        paths = [directory.resolve() / name for name in PROGRAMS]
        if missing := [path.name for path in paths if not path.is_file()]:
            raise KindlingError(f"{directory} has no {', '.join(missing)}: run ./dev build")
        return cls(*paths)


def free_port(wanted: int = 0) -> int:
    """The wanted port of the loopback address if it is free, else any that is."""
    with socket.socket() as sock:
        try:
            sock.bind(("127.0.0.1", wanted))
        except OSError:
            sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def _write_yaml(file: Path, config: dict[str, Any]) -> Path:
    """JSON is YAML."""
    file.write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    return file


class Kindling:
    def __init__(self, programs: Programs, supervisor: Supervisor, directory: Path) -> None:
        self.programs = programs
        self._supervisor = supervisor
        self._directory = directory / "kindling"
        self._directory.mkdir(exist_ok=True)
        self.address = ""
        self._agents: list[Child] = []

    def start_controller(self) -> None:
        """At the default port if it is free, so that kindlingctl needs no --controller."""
        self.address = f"127.0.0.1:{free_port(DEFAULT_PORT)}"
        config = _write_yaml(self._directory / "controller.yaml", {
            "listen": self.address,
            "data_directory": str(self._directory / "controller"),
            "storage": {"max_bytes": 1 << 30, "max_age_s": 86400},
            "cluster": "demo",
        })
        child = self._supervisor.spawn("kindling-controller", [str(self.programs.controller),
                                                               "--config", str(config)])
        self._supervisor.wait_for_line(child, "ready:")

    def agent_config(self, name: str, namespaces: list[str]) -> Path:
        return _write_yaml(self._directory / f"{name}.yaml", {
            "agent_id": name,
            "host": name,
            "cluster": "demo",
            "controller": {"address": self.address or f"127.0.0.1:{DEFAULT_PORT}"},
            "scope": {"network_namespaces": namespaces},
            "spool": {"directory": str(self._directory / name / "spool"),
                      "max_bytes": 256 << 20},
            "metrics_listen": f"127.0.0.1:{free_port()}",
            "window_s": 2,
        })

    def start_agents(self, scopes: dict[str, list[str]]) -> None:
        """Agent name -> network namespaces. All start at once; returns when all capture."""
        started = [
            self._supervisor.spawn(f"kindling-agent-{name}", [
                str(self.programs.agent), "--config", str(self.agent_config(name, namespaces))])
            for name, namespaces in scopes.items()]
        self._agents += started
        for child in started:
            self._supervisor.wait_for_line(child, "ready:")

    def stop_agents(self) -> None:
        """Lets them flush; returns when the controller has what they saw."""
        agents, self._agents = self._agents, []
        if killed := self._supervisor.stop(agents):
            raise KindlingError(f"{killed[0].name} did not end when asked:\n{killed[0].log_end()}")
        for child in agents:
            if child.process.returncode != 0:
                raise KindlingError(f"{child.name} ended with status {child.process.returncode}:\n"
                                    f"{child.log_end()}")

    def start_recording(self, file: Path, namespaces: list[str]) -> Child:
        child = self._supervisor.spawn("kindling-agent-record", [
            str(self.programs.agent), "record", "--out", str(file), "--config",
            str(self.agent_config("recorded", namespaces))])
        self._supervisor.wait_for_line(child, "ready:")
        return child

    def replay(self, recording: Path) -> None:
        """Through the same pipeline, at the present time, as fast as it goes."""
        config = self.agent_config("recorded", [])
        self._supervisor.run("kindling-agent-replay", [
            str(self.programs.agent), "replay", str(recording), "--time", "shift",
            "--config", str(config)], timeout_s=300)

    def edges(self) -> dict[str, Any]:
        done = subprocess.run(
            [str(self.programs.ctl), "--controller", self.address, "--since", "24h",
             "-o", "json", "get", "edges"],
            capture_output=True, text=True, timeout=_QUERY_TIMEOUT_S, check=False)
        if done.returncode not in (0, 3):  # 3: a partial answer, which says so itself
            raise KindlingError(f"kindlingctl get edges: status {done.returncode}: "
                                f"{done.stderr.strip()[-500:]}")
        answer: dict[str, Any] = json.loads(done.stdout)
        return answer
