"""Starts Kindling's own programs for a demo and asks them: one controller, an agent for each test host."""

import json
import os
import socket
import subprocess
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from procs import Child, ChildDied, Supervisor

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

    @classmethod
    def of_test(cls) -> "Programs":
        """What a Bazel test has among its data, or what stands in KINDLING_BIN_DIR."""
        if directory := os.environ.get("KINDLING_BIN_DIR"):
            return cls.find(Path(directory))
        runfiles = Path(os.environ["TEST_SRCDIR"]) / os.environ["TEST_WORKSPACE"]
        return cls(runfiles / "agent/kindling-agent", runfiles / "controller/kindling-controller",
                   runfiles / "ui/cli/kindlingctl")


def free_port(wanted: int = 0) -> int:
    """The wanted port of the loopback address if it is free, else any that is."""
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the controller will
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
    """The programs of one run. `capture` goes into every agent's configuration as it is, as `network`."""

    def __init__(self, programs: Programs, supervisor: Supervisor, directory: Path,
                 capture: dict[str, Any] | None = None) -> None:
        self.programs = programs
        self._capture = capture or {}
        self._supervisor = supervisor
        self._directory = directory / "kindling"
        self._directory.mkdir(exist_ok=True)
        self.network: dict[str, Any] = {}
        self.address = ""
        self._controller: Child | None = None
        self._agents: dict[str, Child] = {}

    def start_controller(self, wanted_port: int = 0) -> None:
        """At the wanted port if it is free, else at any; when it is started again, at the same port
        and with the same store. A port that everybody wants does not suit a controller that is to
        be started again: another's may take it meanwhile, and hear this one's agents."""
        if self.address:
            self._start_controller()
            return
        self.address = f"127.0.0.1:{free_port(wanted_port)}"
        try:
            self._start_controller()
        except ChildDied as error:
            if "cannot listen" not in str(error):
                raise
            # Somebody else took the port in the meantime.
            self.address = f"127.0.0.1:{free_port()}"
            self._start_controller()

    def _start_controller(self) -> None:
        config = _write_yaml(self._directory / "controller.yaml", {
            "listen": self.address,
            "data_directory": str(self._directory / "controller"),
            "storage": {"max_bytes": 1 << 30, "max_age_s": 86400},
            "cluster": "demo",
        })
        child = self._supervisor.spawn("kindling-controller", [str(self.programs.controller),
                                                               "--config", str(config)])
        try:
            self._supervisor.wait_for_line(child, "ready:")
        except ChildDied:
            self._supervisor.forget(child)
            raise
        self._controller = child

    def agent_config(self, name: str, namespaces: list[str]) -> Path:
        spool = self._directory / name / "spool"
        spool.mkdir(parents=True, exist_ok=True)
        return _write_yaml(self._directory / f"{name}.yaml", {
            "agent_id": name,
            "host": name,
            "cluster": "demo",
            "controller": {"address": self.address or f"127.0.0.1:{DEFAULT_PORT}"},
            "scope": {"network_namespaces": namespaces},
            "spool": {"directory": str(spool), "max_bytes": 256 << 20},
            "metrics_listen": f"127.0.0.1:{free_port()}",
            "capture": self._capture,
            "network": self.network,
            "window_s": 2,
        })

    def start_agents(self, scopes: dict[str, list[str]]) -> None:
        """Agent name -> network namespaces. All start at once; returns when all capture."""
        started = {
            name: self._supervisor.spawn(f"kindling-agent-{name}", [
                str(self.programs.agent), "--config", str(self.agent_config(name, namespaces))])
            for name, namespaces in scopes.items()}
        self._agents |= started
        for child in started.values():
            self._supervisor.wait_for_line(child, "ready:")

    def kill_controller(self) -> None:
        """As a crash: without warning."""
        assert self._controller is not None
        self._supervisor.kill(self._controller)
        self._controller = None

    def kill_agent(self, name: str) -> None:
        self._supervisor.kill(self._agents.pop(name))

    def stop_agents(self) -> None:
        """Lets them flush; returns when the controller has what they saw."""
        agents, self._agents = list(self._agents.values()), {}
        if killed := self._supervisor.stop(agents):
            raise KindlingError(f"{killed[0].name} did not end when asked:\n{killed[0].log_end()}")
        for child in agents:
            if child.process.returncode != 0:
                raise KindlingError(f"{child.name} ended with status {child.process.returncode}:\n"
                                    f"{child.log_end()}")

    def start_recording(self, file: Path, namespaces: list[str]) -> Child:
        child = self._supervisor.spawn("kindling-agent-record", [
            str(self.programs.agent), "record", "--raw", "--out", str(file), "--config",
            str(self.agent_config("recorded", namespaces))])
        self._supervisor.wait_for_line(child, "ready:")
        return child

    def replay(self, recording: Path) -> None:
        """Through the same pipeline, at the present time, as fast as it goes."""
        config = self.agent_config("recorded", [])
        self._supervisor.run("kindling-agent-replay", [
            str(self.programs.agent), "replay", str(recording), "--time", "shift",
            "--config", str(config)], timeout_s=300)

    def agent_metrics(self, name: str) -> str:
        """The page that an agent shows to Prometheus."""
        config = json.loads((self._directory / f"{name}.yaml").read_text(encoding="utf-8"))
        with urllib.request.urlopen(f"http://{config['metrics_listen']}/metrics",
                                    timeout=_QUERY_TIMEOUT_S) as page:
            text: str = page.read().decode()
        return text

    def edges(self, *options: str) -> dict[str, Any]:
        return self.get("edges", *options)

    def get(self, what: str, *options: str, since: str = "24h") -> dict[str, Any]:
        """The answer as JSON; without `since` where the question takes no time."""
        time_range = ["--since", since] if since else []
        done = subprocess.run(
            [str(self.programs.ctl), "--controller", self.address, *time_range,
             "-o", "json", "get", what, *options],
            capture_output=True, text=True, timeout=_QUERY_TIMEOUT_S, check=False)
        if done.returncode not in (0, 3):  # 3: a partial answer, which says so itself
            raise KindlingError(f"kindlingctl get {what}: status {done.returncode}: "
                                f"{done.stderr.strip()[-500:]}")
        answer: dict[str, Any] = json.loads(done.stdout)
        return answer
