"""The demo application without Kindling: all who count an edge count the same, and nothing is left behind.

Needs root; fails without it.
"""

import subprocess
import time
import unittest
from pathlib import Path

import edges
import registry
import topology
from procs import ChildDied, Supervisor
from workload import Workload, edge_truth


def namespaces() -> list[str]:
    listed = subprocess.run(["ip", "netns", "list"], capture_output=True, text=True, check=True)
    return listed.stdout.split()


class WorkloadTest(unittest.TestCase):
    def setUp(self) -> None:
        self.entry = registry.create(detached=False)
        self.addCleanup(registry.remove, self.entry)
        self.directory = Path(self.entry.directory)
        self.supervisor = Supervisor(self.directory, self.entry.add_process)
        self.addCleanup(self.supervisor.stop_all)
        self.workload = Workload(self.supervisor, self.directory, topology.create(self.entry))
        self.workload.start()

    def test_all_sources_of_truth_agree(self) -> None:
        before = self.workload.snapshot()
        self.workload.start_load(rate=150, seconds=4, seed=11)
        while not self.workload.load_ended():
            self.workload.check_load()
            time.sleep(0.05)
        load = self.workload.end_load()
        truths = edge_truth(before, self.workload.snapshot(), load)
        self.assertEqual([truth.key for truth in truths], list(edges.EXPECTED))
        for truth in truths:
            self.assertTrue(truth.sources_agree, f"{truth.key}: {truth.sources}")
            self.assertGreater(truth.count, 0, truth.key)
        self.assertEqual(load["failed"], 0)
        self.assertAlmostEqual(load["sent"], 600, delta=10)
        for status in ("200", "201", "404", "500"):
            self.assertGreater(load["byStatus"].get(status, 0), 0, status)

    def test_two_live_side_by_side_and_both_go_completely(self) -> None:
        second = registry.Entry(f"{self.entry.name}x", self.entry.owner_pid, self.entry.owner_ticks,
                                detached=False, directory=str(registry.make_directory()))
        second.save()
        self.addCleanup(registry.remove, second)
        supervisor = Supervisor(Path(second.directory), second.add_process)
        self.addCleanup(supervisor.stop_all)
        Workload(supervisor, Path(second.directory), topology.create(second)).start()
        for entry in (self.entry, second):
            for namespace in entry.namespaces:
                self.assertIn(namespace, namespaces())
        # As after a crash: nobody ends the processes in order.
        for entry in (self.entry, second):
            registry.remove(entry)
            for pid, ticks in entry.processes:
                self.assertNotEqual(registry.start_ticks(pid), ticks)
            for namespace in entry.namespaces:
                self.assertNotIn(namespace, namespaces())
                self.assertFalse((Path("/etc/netns") / namespace).exists())
            self.assertFalse(Path(entry.directory).exists())
            self.assertFalse(entry.file.exists())

    def test_a_dead_server_is_named(self) -> None:
        self.workload.start_load(rate=50, seconds=30, seed=1)
        redis = next(child for child in self.supervisor._children if child.name == "redis-server")
        redis.process.kill()
        redis.process.wait()
        with self.assertRaisesRegex(ChildDied, "redis-server ended with signal SIGKILL"):
            self.workload.check_load()


if __name__ == "__main__":
    unittest.main()
