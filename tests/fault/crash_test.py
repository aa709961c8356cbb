"""Kills agent and controller with SIGKILL in the middle of load: what was acknowledged is neither lost nor doubled.

Needs root and BPF; fails without.
"""

import time
import unittest

import edges
import registry
from compare import format_report, key_of
from edges import EdgeKey
from kindling import Programs
from session import Demo

_SEEN_BY_B_ALONE = (edges.SHOP_REDIS, edges.SHOP_MYSQL_TCP, edges.SHOP_MYSQL_UNIX, edges.SHOP_DNS)


class CrashTest(unittest.TestCase):
    def setUp(self) -> None:
        entry = registry.create(detached=False)
        self.addCleanup(registry.remove, entry)
        self.demo = Demo(Programs.of_test(), entry)
        self.addCleanup(self.demo.supervisor.stop_all)
        self.demo.start_application()
        self.demo.start_capture()

    def counts(self) -> dict[EdgeKey, int]:
        return {key_of(edge): int(edge.get("requestCount", 0))
                for edge in self.demo.kindling.edges().get("edges", [])}

    def load_with(self, seconds: float, faults: dict[float, object]) -> None:
        """Runs the load and calls each fault once, when its second has come."""
        started, left = time.monotonic(), sorted(faults.items(), key=lambda item: item[0])

        def each() -> None:
            if left and time.monotonic() - started >= left[0][0]:
                fault = left.pop(0)[1]
                assert callable(fault)
                fault()

        self.demo.run_load(rate=100, seconds=seconds, seed=5, each=each)
        self.assertEqual(left, [], "the load ended before every fault had come")

    def test_controller_crashes(self) -> None:
        """The agents keep what is not acknowledged and send it again: every count is exact."""
        kindling = self.demo.kindling
        self.load_with(18, {4: kindling.kill_controller, 6: kindling.start_controller,
                            9: kindling.kill_controller, 9.1: kindling.start_controller,
                            13: kindling.kill_controller, 14: kindling.start_controller})
        report = self.demo.finish()
        self.assertTrue(report.passed, format_report(report))

    def test_agent_crashes(self) -> None:
        """What the crashed agent had in memory is gone; what the controller had shown stays, once."""
        shown: dict[EdgeKey, int] = {}

        def crash() -> None:
            shown.update(self.counts())
            self.demo.kindling.kill_agent("host-b")

        self.load_with(18, {8: crash, 8.5: lambda: self.demo.start_agents("host-b")})
        report = self.demo.finish()
        rows = {row.truth.key: row for row in report.rows}
        for key in _SEEN_BY_B_ALONE:
            edge = rows[key].edge
            assert edge is not None, key
            self.assertGreater(shown.get(key, 0), 0, f"{key}: nothing acknowledged before the crash")
            self.assertLessEqual(edge["requestCount"], rows[key].truth.count, key)
            # After the crash the same stream goes on for longer than it had before.
            self.assertGreaterEqual(edge["requestCount"], 1.5 * shown[key], key)
        self.assertEqual(rows[edges.LOADGEN_NGINX].faults, [])
        client_view = (rows[edges.NGINX_SHOP].edge or {}).get("clientView", {})
        self.assertEqual(client_view.get("requestCount"), rows[edges.NGINX_SHOP].truth.count)


if __name__ == "__main__":
    unittest.main()
