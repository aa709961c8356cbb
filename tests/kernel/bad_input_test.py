"""What a user meets who gets something wrong, or whose controller is away: one clear line that says what to do, a
non-zero status where it is fatal, and nothing lost that was counted.

Needs root and BPF; fails without them.
"""

import contextlib
import json
import re
import shutil
import socket
import subprocess
import time
import unittest
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import servers
from kindling import Kindling, Programs, free_port
from procs import Child, command_in, existing_user
from rig import AGENT, Rig

ENDS_S = 40
SETTLE_S = 2.5


class BadInputTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls) -> None:
        cls.rig = Rig.of_class(cls)
        cls.programs = Programs.of_test()
        servers.start_nginx(cls.rig.place, "127.0.0.1")
        cls.rig.client("wait-for-nginx", "curl --disable --silent --retry 20 --retry-connrefused "
                       "--retry-delay 1 -o /dev/null http://127.0.0.1/")

    def setUp(self) -> None:
        self.directory = self.rig.directory / self._testMethodName
        self.directory.mkdir()

    # The pieces the cases are made of.

    def write(self, name: str, config: dict[str, Any] | str) -> Path:
        file = self.directory / name
        file.write_text(config if isinstance(config, str) else json.dumps(config, indent=1) + "\n")
        return file

    def agent_config(self, **changes: Any) -> dict[str, Any]:
        return {"agent_id": "bad-input", "controller": {"address": f"127.0.0.1:{free_port()}"},
                "scope": {"network_namespaces": [self.rig.host.namespace_path]},
                "spool": {"directory": str(self.directory / "spool")}, "metrics_listen": "off",
                "window_s": 1} | changes

    def refused(self, *command: str | Path, user: str | None = None) -> str:
        """What a command that must fail says."""
        done = subprocess.run(command_in([str(word) for word in command], None, user),
                              capture_output=True, text=True, timeout=ENDS_S, check=False,
                              stdin=subprocess.DEVNULL)
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertEqual(done.stdout, "")
        return done.stderr

    def agent_refuses(self, config: Path) -> str:
        return self.refused(self.programs.agent, "--config", config)

    def controller_refuses(self, config: Path) -> str:
        return self.refused(self.programs.controller, "--config", config)

    def assert_line(self, text: str, pattern: str) -> None:
        """One line of this form and nothing else."""
        self.assertEqual(text.count("\n"), 1, text)
        self.assertRegex(text, pattern)

    @contextlib.contextmanager
    def taken_port(self) -> Iterator[int]:
        with socket.socket() as holder:
            holder.bind(("127.0.0.1", 0))
            holder.listen()
            yield holder.getsockname()[1]

    def kindling(self, name: str) -> Kindling:
        return self.rig.kindling(f"{self._testMethodName}/{name}")

    def send(self, requests: int) -> None:
        self.rig.client("curl", f"curl --disable --silent -o /dev/null 'http://127.0.0.1/?[1-{requests}]'")

    def assert_counts(self, kindling: Kindling, requests: int) -> None:
        answer = kindling.edges("-f", "protocol=http")
        self.assertEqual([(edge["client"], edge["server"]) for edge in answer["edges"]],
                         [("curl", "nginx:80")])
        edge = answer["edges"][0]
        for view in (edge, edge["clientView"], edge["serverView"]):
            self.assertEqual((view["requestCount"], view["lost"]), (requests, 0))
        self.assertEqual(answer["completeness"]["lost"], 0)

    # Configuration.

    def test_no_scope(self) -> None:
        config = self.agent_config()
        del config["scope"]
        said = self.agent_refuses(self.write("agent.yaml", config))
        self.assertRegex(said, r"^kindling-agent: \S+agent\.yaml: scope: says what to watch and is required; write")
        self.assertIn("scope: {network_namespaces: [", said)

    def test_missing_configuration(self) -> None:
        missing = self.directory / "nothere.yaml"
        for said in (self.agent_refuses(missing), self.controller_refuses(missing)):
            self.assert_line(said, rf"^kindling-\w+: read {missing}: No such file or directory: "
                             "write this file, or name another with --config")

    def test_unreadable_configuration(self) -> None:
        config = self.write("agent.yaml", self.agent_config())
        config.chmod(0o600)
        for program in (self.programs.agent, self.programs.controller):
            said = self.refused(self.readable(program), "--config", config, user=existing_user("nobody"))
            self.assert_line(said, rf"^kindling-\w+: read {config}: Permission denied")

    def readable(self, program: Path) -> Path:
        """A copy that every user can run, wherever the build is."""
        copy = self.rig.directory / program.name
        if not copy.exists():
            shutil.copy(program, copy)
            copy.chmod(0o755)
        return copy

    def test_all_faults_of_an_agent_in_one_message(self) -> None:
        said = self.agent_refuses(self.write("agent.yaml", (
            f"scope: {{network_namespaces: [{self.rig.host.namespace_path}]}}\n"
            "window_s: 900\n"
            "capture:\n"
            "  hook: kprobe\n"
            "spol: {directory: /nowhere}\n")))
        for line in (r"agent\.yaml:2: window_s: must be 1 to 60, is 900",
                     r"agent\.yaml:4: capture\.hook: must be .*sys_exit",
                     r"agent\.yaml:5: spol: unknown key; did you mean \"spool\"\?"):
            self.assertRegex(said, line)
        self.assertEqual(said.count("\n"), 3, said)

    def test_all_faults_of_a_controller_in_one_message(self) -> None:
        said = self.controller_refuses(self.write("controller.yaml", (
            "listen: nonsense\n"
            "storage: {max_bytes: 5}\n"
            "clustr: a\n")))
        for line in (r"controller\.yaml:1: listen: ", r"controller\.yaml:2: storage\.max_bytes: must be at least",
                     r"controller\.yaml:3: clustr: unknown key; did you mean \"cluster\"\?"):
            self.assertRegex(said, line)
        self.assertEqual(said.count("\n"), 3, said)

    def test_scope_that_is_not_there(self) -> None:
        said = self.agent_refuses(self.write("agent.yaml", self.agent_config(
            scope={"network_namespaces": ["/run/netns/kd-nothere"]})))
        self.assert_line(said, r"^kindling-agent: scope: network namespace /run/netns/kd-nothere: No such file")

    # The machine.

    def test_ports_that_are_taken(self) -> None:
        with self.taken_port() as port:
            said = self.controller_refuses(self.write("controller.yaml", {
                "listen": f"127.0.0.1:{port}", "data_directory": str(self.directory / "store")}))
            self.assert_line(said, rf"^kindling-controller: cannot listen on 127\.0\.0\.1:{port}: .*set another listen")
            said = self.agent_refuses(self.write("agent.yaml", self.agent_config(
                metrics_listen=f"127.0.0.1:{port}")))
            self.assert_line(said, rf"^kindling-agent: metrics_listen: cannot listen on 127\.0\.0\.1:{port}: .*"
                             "set metrics_listen to another address")

    def test_not_root(self) -> None:
        self.directory.chmod(0o777)
        config = self.write("agent.yaml", self.agent_config())
        said = self.refused(self.readable(self.programs.agent), "--config", config, user=existing_user("nobody"))
        self.assert_line(said, r"^kindling-agent: capture needs root: run the agent as root, or with CAP_BPF")

    # The store.

    def stored(self, name: str) -> Kindling:
        """With ten requests in its store."""
        kindling = self.kindling(name)
        kindling.start_controller()
        self.rig.start_agent(kindling)
        self.send(10)
        time.sleep(SETTLE_S)
        kindling.stop_agents()
        self.assert_counts(kindling, 10)
        return kindling

    def stored_in_tables(self, name: str) -> Kindling:
        """The same, stopped, with nothing in its log."""
        kindling = self.stored(name)
        for _ in range(2):  # what was in the log is in a table the second time
            self.stop_controller(kindling)
            kindling.start_controller()
        self.stop_controller(kindling)
        return kindling

    def test_damaged_log_of_the_store(self) -> None:
        """What can still be read is shown, and what cannot is not passed over in silence."""
        kindling = self.stored("k")
        kindling.kill_controller()  # a clean end leaves nothing in the log
        logs = [log for log in (self.directory / "k").rglob("*.log") if log.stat().st_size > 0]
        self.assertEqual(len(logs), 1)
        content = bytearray(logs[0].read_bytes())
        content[len(content) // 2] ^= 0xFF
        logs[0].write_bytes(content)
        kindling.start_controller()
        self.assertRegex(kindling._controller.log_end(), rf"the store leaves out a damaged part of its log; "
                         rf"what was acknowledged there is gone.*{logs[0].name}: dropping \d+ bytes")

    def test_damaged_store(self) -> None:
        self.stored_in_tables("first")
        whole = self.directory / "first" / "kindling" / "controller"
        for kind in ("CURRENT", "MANIFEST-*"):
            with self.subTest(damaged=kind):
                store = self.directory / f"store-{re.sub('[^A-Za-z]', '', kind)}"
                shutil.copytree(whole, store)
                files = [file for file in store.rglob(kind) if file.stat().st_size > 0]
                self.assertTrue(files, list(store.rglob("*")))
                for file in files:
                    file.write_bytes(b"\xa5" * file.stat().st_size)
                said = self.controller_refuses(self.write(f"{store.name}.yaml", {
                    "listen": f"127.0.0.1:{free_port()}", "data_directory": str(store)}))
                self.assert_line(said, rf"^kindling-controller: store {store}/store is damaged \(.*\): "
                                 "restore a copy of it, or move it away")

    def test_damaged_tables_of_the_store(self) -> None:
        """It starts, and says what it cannot read and why it takes nothing."""
        kindling = self.stored_in_tables("k")
        files = list((self.directory / "k").rglob("*.sst"))
        self.assertTrue(files)
        for file in files:
            file.write_bytes(b"\xa5" * file.stat().st_size)
        kindling.start_controller()
        done = subprocess.run([str(self.programs.ctl), "--controller", kindling.address, "store", "status"],
                              capture_output=True, text=True, timeout=ENDS_S, check=True)
        self.assertRegex(done.stdout, r"(?m)^ingest +stopped: .*damaged")

    def stop_controller(self, kindling: Kindling) -> None:
        child = kindling._controller
        assert child is not None
        self.assertEqual(self.rig.supervisor.stop([child]), [])
        self.assertEqual(child.process.returncode, 0, child.log_end())

    # Peers.

    def test_second_agent_of_the_same_name(self) -> None:
        kindling = self.kindling("k")
        kindling.start_controller()
        self.rig.start_agent(kindling)
        second = self.write("second.yaml", self.agent_config(
            agent_id=AGENT, controller={"address": kindling.address}))
        said = self.agent_refuses(second)
        self.assertRegex(said.splitlines()[-1], rf"^kindling-agent: .*{AGENT}.*agent_id")
        self.send(12)
        time.sleep(SETTLE_S)
        kindling.stop_agents()
        self.assert_counts(kindling, 12)

    def test_controller_that_is_away_and_comes_back(self) -> None:
        kindling = self.kindling("k")
        self.rig.start_agent(kindling)
        self.send(20)
        time.sleep(SETTLE_S)
        kindling.start_controller()
        self.send(30)
        time.sleep(SETTLE_S)
        kindling.kill_controller()
        self.send(40)
        time.sleep(SETTLE_S)
        kindling.start_controller()
        kindling.stop_agents()
        self.assert_counts(kindling, 90)
        self.assertNotIn("leaves out", kindling._controller.log.read_text())

    def test_controller_that_never_comes(self) -> None:
        """The agent ends well, says what waits, and the next one with the same spool delivers it."""
        kindling = self.kindling("k")
        self.rig.start_agent(kindling)
        self.send(25)
        time.sleep(SETTLE_S)
        agent: Child = kindling._agents[AGENT]
        kindling.stop_agents()
        self.assertRegex(agent.log_end(), r"\d+ batches wait in \S+/spool for a controller")
        kindling.start_controller()
        self.rig.start_agent(kindling)
        self.send(5)
        time.sleep(SETTLE_S)
        kindling.stop_agents()
        self.assert_counts(kindling, 30)


if __name__ == "__main__":
    unittest.main()
