"""Faults made on purpose between two hosts, and what `kindlingctl get tcp` says of them: each under its name, on its edge,
with the count of the kernel (nstat in the host's namespace) or of the program that made it.

Needs root and BPF; fails without them.
"""

import json
import subprocess
import sys
import time
import unittest
from pathlib import Path
from typing import Any

import topology
from kindling import Kindling, Programs, free_port
from rig import TwoHostsTest

HERE = Path(__file__).resolve().parent
ECHO, NOBODY, BLACK_HOLE, SINK, DEAF, RUDE = 8001, 8002, 8003, 8004, 8005, 8006
SHORT, REFUSED, LOST, BLOCKS, CROWD, RESETS = 200, 3, 2, 200, 6, 4
BLOCK_BYTES = 65536
SETTLE_S = 2.5
BUSIEST_S = 60


class TcpTest(TwoHostsTest):
    maxDiff = None

    def test_socket_tracepoints(self) -> None:
        self.check("socket_tracepoints")

    def test_sys_exit(self) -> None:
        self.check("sys_exit")

    # The pieces that it is made of.

    def nstat(self, host: topology.Host, name: str) -> int:
        done = subprocess.run(
            ["ip", "netns", "exec", host.namespace, "nstat", "-asz", "--json", name],
            capture_output=True, text=True, check=True)
        return int(json.loads(done.stdout)["kernel"][name])

    def nft(self, rules: str) -> None:
        subprocess.run(["ip", "netns", "exec", self.b.namespace, "nft", "-f", "-"], input=rules,
                       text=True, check=True)

    def peer(self, hook: str, port: int, behaviour: str) -> None:
        name = f"peer-{hook}-{port}"
        child = self.supervisor.spawn(
            name,
            [sys.executable, str(HERE / "tcp_peer.py"), self.b.address, str(port), behaviour],
            namespace=self.b.namespace)
        self.supervisor.wait_for_line(child, "ready")
        self.peers.append(child)

    def client(self, hook: str, port: int, behaviour: str, count: int) -> None:
        self.supervisor.run(f"client-{hook}-{behaviour}",
                            [sys.executable, str(HERE / "tcp_client.py"), self.b.address, str(port),
                             behaviour, str(count)],
                            namespace=self.a.namespace, timeout_s=BUSIEST_S)

    def make_faults(self, hook: str) -> None:
        self.peers: list[Any] = []
        for port, behaviour in ((ECHO, "echo"), (SINK, "sink"), (DEAF, "deaf"), (RUDE, "rude")):
            self.peer(hook, port, behaviour)
        self.nft(f"""
            add table ip faults
            add chain ip faults in {{ type filter hook input priority 0; }}
            add rule ip faults in tcp dport {BLACK_HOLE} drop
            add rule ip faults in tcp dport {SINK} numgen random mod 100 < 4 drop
            """)
        self.client(hook, ECHO, "short", SHORT)
        self.client(hook, NOBODY, "refused", REFUSED)
        self.client(hook, BLACK_HOLE, "black_hole", LOST)
        self.client(hook, SINK, "bulk", BLOCKS)
        self.client(hook, DEAF, "crowd", CROWD)
        self.client(hook, RUDE, "reset", RESETS)
        self.nft("delete table ip faults")
        time.sleep(SETTLE_S)

    def check(self, hook: str) -> None:
        directory = self.directory / hook
        directory.mkdir()
        kindling = Kindling(Programs.of_test(), self.supervisor, directory, {"hook": hook})
        kindling.address = f"127.0.0.1:{free_port()}"
        kindling.start_controller()
        kindling.start_agents({"host-a": [self.a.namespace_path], "host-b": [self.b.namespace_path]})
        before = {(host, name): self.nstat(host, name)
                  for host in (self.a, self.b) for name in ("TcpRetransSegs", "TcpExtListenDrops")}
        self.make_faults(hook)
        self.supervisor.stop(self.peers)
        counted = {key: self.nstat(*key) - then for key, then in before.items()}
        exposed = kindling.agent_metrics("host-a")
        kindling.stop_agents()
        answer = kindling.get("tcp")
        self.assertEqual(answer["completeness"]["fraction"], 1, answer["completeness"])
        rows = {(edge["client"], edge["server"], edge["observer"]): edge for edge in answer["edges"]}

        def row(port: int, observer: str, client: str = "tcp_client") -> dict[str, Any]:
            return rows[client, f"tcp_peer:{port}", observer]

        with self.subTest("short connections"):
            ours, theirs = row(ECHO, "client"), row(ECHO, "server")
            self.assertEqual((ours["connects"], theirs["accepts"]), (SHORT, SHORT))
            self.assertEqual((ours["connectFailures"], ours["ends"], theirs["ends"]),
                             ({}, {"closed": SHORT}, {"closed": SHORT}))
            self.assertEqual({ours[name] for name in ("bytesSent", "bytesReceived")}
                             | {theirs[name] for name in ("bytesSent", "bytesReceived")},
                             {SHORT * 10})
            self.assertGreater(ours["rttP50Ms"], 0)
            self.assertLessEqual(ours["minRttMs"], ours["rttP50Ms"])
            self.assertGreater(ours["connectP50Ms"], 0)
        with self.subTest("a port that nobody listens on"):
            edge = rows["tcp_client", f"{self.b.address}:{NOBODY}", "client"]
            self.assertEqual(edge["connectFailures"], {"ECONNREFUSED": REFUSED})
            self.assertEqual(edge["resetsReceived"], REFUSED)
            self.assertEqual(edge["connects"], 0)
        with self.subTest("a black hole"):
            edge = rows["tcp_client", f"{self.b.address}:{BLACK_HOLE}", "client"]
            self.assertEqual(edge["connectFailures"], {"ETIMEDOUT": LOST})
            self.assertGreaterEqual(edge["retransmits"]["syn"], LOST)
        with self.subTest("a lossy link"):
            edge = row(SINK, "client")
            self.assertEqual(edge["bytesSent"], BLOCKS * BLOCK_BYTES)
            self.assertGreater(sum(edge["retransmits"].values()), 0)
            self.assertGreater(edge["retransmitPercent"], 0)
            self.assertGreater(edge["lostSegments"], 0)
            self.assertEqual(row(SINK, "server")["bytesSent"], BLOCKS * BLOCK_BYTES)
        with self.subTest("a full listen queue"):
            listener = row(DEAF, "server", client="")
            self.assertGreater(listener["listenDrops"], 0)
            self.assertEqual(listener["listenDrops"], counted[self.b, "TcpExtListenDrops"])
            self.assertEqual(listener["acceptQueueMax"], 1)
            self.assertEqual(row(DEAF, "client")["connects"], 2)
            self.assertEqual(row(DEAF, "client")["connectFailures"], {"ECANCELED": CROWD - 2})
        with self.subTest("a peer that resets"):
            self.assertEqual(row(RUDE, "client")["ends"], {"reset_received": RESETS})
            self.assertEqual(row(RUDE, "client")["resetsReceived"], RESETS)
            self.assertEqual(row(RUDE, "server")["ends"], {"reset_sent": RESETS})
            self.assertEqual(sum(row(RUDE, "server")["resetsSent"].values()), RESETS)
        for host, observer in ((self.a, "client"), (self.b, "server")):
            with self.subTest("retransmits of all connections", observer=observer):
                of_rows = sum(sum(edge["retransmits"].values()) for edge in rows.values()
                              if edge["observer"] == observer)
                self.assertEqual(of_rows, counted[host, "TcpRetransSegs"])
        with self.subTest("Prometheus"):
            for name, least in (("srtt_microseconds", 1), ("retransmit_total", 1),
                                ("packet_loss_total", 1), ("reset_received_total", REFUSED + RESETS)):
                values = [float(line.rsplit(" ", 1)[1]) for line in exposed.splitlines()
                          if line.startswith(f"kindling_tcp_{name}{{")]
                self.assertGreaterEqual(sum(values), least, name)
        with self.subTest("a filter"):
            picked = kindling.get("tcp", "-f", f"server=tcp_peer:{RUDE} side=client")["edges"]
            self.assertEqual([edge["server"] for edge in picked], [f"tcp_peer:{RUDE}"])


if __name__ == "__main__":
    unittest.main()
