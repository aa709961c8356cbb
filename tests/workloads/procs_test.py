import contextlib
import io
import os
import tempfile
import time
import unittest
from pathlib import Path

import registry
from procs import ChildDied, Supervisor


class SupervisorTest(unittest.TestCase):
    def setUp(self) -> None:
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.started: list[int] = []
        self.supervisor = Supervisor(Path(directory.name), self.started.append)
        self.addCleanup(self.supervisor.stop_all)

    def test_says_who_died_and_shows_its_log(self) -> None:
        child = self.supervisor.spawn("fragile", ["sh", "-c", "echo the reason >&2; exit 3"])
        child.process.wait()
        with self.assertRaisesRegex(ChildDied, "(?s)fragile ended with status 3.*the reason"):
            self.supervisor.check()

    def test_ready_line(self) -> None:
        child = self.supervisor.spawn("server", ["sh", "-c", "echo ready: 7 >&2; exec sleep 60"])
        self.assertEqual(self.supervisor.wait_for_line(child, "ready:"), "ready: 7")
        self.supervisor.check()
        self.assertEqual(self.started, [child.pid])

    def test_a_restarted_child_has_its_own_ready_line(self) -> None:
        first = self.supervisor.spawn("server", ["sh", "-c", "echo ready: 1 >&2; exec sleep 60"])
        self.supervisor.wait_for_line(first, "ready:")
        self.supervisor.kill(first)
        second = self.supervisor.spawn("server", ["sleep", "60"])
        with self.assertRaisesRegex(ChildDied, "did not come"):
            self.supervisor.wait_for_line(second, "ready:", timeout_s=0.1)

    def test_death_while_waiting_for_readiness(self) -> None:
        child = self.supervisor.spawn("server", ["false"])
        with self.assertRaisesRegex(ChildDied, "server ended with status 1"):
            self.supervisor.wait_for_line(child, "ready:")

    def test_readiness_that_does_not_come(self) -> None:
        child = self.supervisor.spawn("server", ["sleep", "60"])
        with self.assertRaisesRegex(ChildDied, "did not come"):
            self.supervisor.wait_for_line(child, "ready:", timeout_s=0.1)

    def test_command_that_fails_or_hangs(self) -> None:
        self.supervisor.run("fine", ["true"])
        with self.assertRaisesRegex(ChildDied, "status 1"):
            self.supervisor.run("failing", ["false"])
        with self.assertRaisesRegex(ChildDied, "did not end"):
            self.supervisor.run("hanging", ["sleep", "60"], timeout_s=0.1)

    def test_stop_kills_what_does_not_listen(self) -> None:
        deaf = self.supervisor.spawn(
            "deaf", ["sh", "-c", "trap '' TERM; echo up >&2; while :; do sleep 1; done"])
        self.supervisor.wait_for_line(deaf, "up")
        polite = self.supervisor.spawn("polite", ["sleep", "60"])
        self.assertEqual(self.supervisor.stop([deaf, polite], timeout_s=0.3), [deaf])
        self.assertIsNotNone(polite.process.returncode)


class RegistryTest(unittest.TestCase):
    def setUp(self) -> None:
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        old = registry.BASE
        registry.BASE = Path(directory.name)
        self.addCleanup(setattr, registry, "BASE", old)

    def entry(self, owner_pid: int, owner_ticks: int) -> registry.Entry:
        entry = registry.Entry("kd-test", owner_pid, owner_ticks, detached=False,
                               directory=str(registry.make_directory()))
        self.addCleanup(lambda: Path(entry.directory).exists() and os.rmdir(entry.directory))
        entry.save()
        return entry

    def test_sweep_ends_what_a_dead_owner_left(self) -> None:
        entry = self.entry(os.getpid(), 1)  # the pid lives, but is somebody else's by now
        supervisor = Supervisor(Path(entry.directory), entry.add_process)
        child = supervisor.spawn("orphan", ["sleep", "60"])
        self.assertEqual(registry.sweep(), ["kd-test"])
        self.assertIsNotNone(child.process.wait(5))
        self.assertFalse(Path(entry.directory).exists())
        self.assertEqual(registry.load_all(), [])

    def test_sweep_leaves_a_living_owner_alone(self) -> None:
        ticks = registry.start_ticks(os.getpid())
        assert ticks is not None
        entry = self.entry(os.getpid(), ticks)
        self.assertEqual(registry.sweep(), [])
        self.assertTrue(Path(entry.directory).exists())

    def test_a_reused_pid_is_not_killed(self) -> None:
        entry = self.entry(1, 1)
        with tempfile.TemporaryDirectory() as logs:
            supervisor = Supervisor(Path(logs), lambda pid: None)
            bystander = supervisor.spawn("bystander", ["sleep", "60"])
            entry.processes = [(bystander.pid, 1)]
            registry.remove(entry)
            time.sleep(0.05)
            self.assertIsNone(bystander.process.poll())
            supervisor.stop_all()

    def test_refuses_to_remove_what_no_demo_makes(self) -> None:
        entry = self.entry(1, 1)
        Path(entry.directory).rmdir()
        for directory in ("/tmp/elsewhere", "/tmp/x/kindling-demo-1", "/etc"):
            entry.directory = directory
            with self.assertRaises(ValueError):
                registry.remove(entry)
        entry.directory, entry.namespaces = "/tmp/kindling-demo-none", ["other"]
        with self.assertRaises(ValueError):
            registry.remove(entry)

    def test_damaged_entry_is_left_alone(self) -> None:
        (registry.BASE / "kd-1.json").write_text("{")
        (registry.BASE / "kd-2.json").write_text('{"surprise": 1}')
        with contextlib.redirect_stdout(io.StringIO()) as said:
            self.assertEqual(registry.load_all(), [])
        self.assertEqual(said.getvalue().count("is damaged"), 2)
        self.assertTrue((registry.BASE / "kd-1.json").exists())


if __name__ == "__main__":
    unittest.main()
