"""Connections held open between two hosts, and what `kindlingctl get connections` says of them: those that `ss` has in the
hosts' namespaces, each end once, under the names of both ends.

Needs root and BPF; fails without them.
"""

import subprocess
import sys
import unittest
from pathlib import Path

import topology
from kindling import Kindling, Programs, free_port
from rig import TwoHostsTest

PROGRAM = str(Path(__file__).resolve().parent / "connections_client.py")
PORT, EARLY, LATE, BYTES = 8010, 3, 40, 1000


class ConnectionsTest(TwoHostsTest):
    def start(self, name: str, host: topology.Host, *arguments: str) -> object:
        child = self.supervisor.spawn(name, [sys.executable, PROGRAM, *arguments], namespace=host.namespace)
        self.supervisor.wait_for_line(child, "ready")
        return child

    def ss(self, host: topology.Host) -> set[tuple[str, str]]:
        """Local and remote addresses of established connections."""
        out = subprocess.run(["ip", "netns", "exec", host.namespace, "ss", "-tnH", "state", "established"],
                             check=True, capture_output=True, text=True).stdout
        return {tuple(line.split()[2:4]) for line in out.splitlines()}

    def test_open_connections(self) -> None:
        kindling = Kindling(Programs.of_test(), self.supervisor, self.directory, {})
        kindling.address = f"127.0.0.1:{free_port()}"
        server = self.start("server", self.b, "listen", str(PORT))
        self.start("early", self.a, self.b.address, str(PORT), str(EARLY))
        kindling.start_controller()
        kindling.start_agents({"host-a": [self.a.namespace_path], "host-b": [self.b.namespace_path]})
        late = self.start("late", self.a, self.b.address, str(PORT), str(LATE))
        answer = kindling.get("connections", since="")
        self.assertEqual(answer["completeness"]["fraction"], 1, answer["completeness"])
        rows = answer["connections"]
        for host, name, side in ((self.a, "host-a", "client"), (self.b, "host-b", "server")):
            mine = [row for row in rows if row["host"] == name]
            self.assertEqual(len(mine), EARLY + LATE)
            self.assertEqual({(row["localAddress"], row["remoteAddress"]) for row in mine}, self.ss(host))
            self.assertEqual({(row["client"], row["server"], row["side"]) for row in mine},
                             {("connections_client", f"connections_client:{PORT}", side)})
            moved = "bytesSent" if side == "client" else "bytesReceived"
            self.assertEqual({row["tcp"][moved] for row in mine}, {BYTES})
            self.assertEqual(sum(int(row["openedNs"]) == 0 for row in mine), EARLY)
            if side == "client":
                self.assertTrue(all(row["tcp"]["rttMs"] > 0 for row in mine))
                self.assertEqual(sum(row["pid"] == late.process.pid for row in mine), LATE)
        self.assertEqual(len(kindling.get("connections", "-f", "side=server", since="")["connections"]), EARLY + LATE)

        self.supervisor.stop([late])
        self.assertEqual(len(kindling.get("connections", "-f", "side=client", since="")["connections"]), EARLY)
        kindling.kill_agent("host-b")
        gone = kindling.get("connections", since="")
        self.assertLess(gone["completeness"]["fraction"], 1)
        self.assertIn("host-b", " ".join(gone["completeness"]["notes"]))
        self.assertEqual({row["host"] for row in gone["connections"]}, {"host-a"})
        self.supervisor.stop([server])


if __name__ == "__main__":
    unittest.main()
