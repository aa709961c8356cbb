"""Packets dropped on purpose between two hosts, and what `kindlingctl get drops` says of them: each under the kernel's reason,
on its edge, with the count of what dropped it (an nft rule, a socket, a queueing discipline).

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
ECHO, FORBIDDEN, NOBODY, SLOW, FLOODED, DAMAGED, DEAD = 8101, 8102, 8103, 8104, 8105, 8106, 8107
EXCHANGES, DATAGRAMS, SYNS, DAMAGES, LOST = 40, 30, 5, 4, 3
DEAD_ADDRESS = "10.77.0.99"
NEIGHBOUR_GIVES_UP_S = 15
SETTLE_S = 5  # two windows


class DropsTest(TwoHostsTest):
    maxDiff = None

    def test_socket_tracepoints(self) -> None:
        self.check("socket_tracepoints")

    def test_sys_exit(self) -> None:
        self.check("sys_exit")

    # The pieces that it is made of.

    def inside(self, host: topology.Host, *command: str, text: str | None = None) -> str:
        return subprocess.run(["ip", "netns", "exec", host.namespace, *command], input=text,
                              capture_output=True, text=True, check=True).stdout

    def rules(self) -> dict[str, int]:
        """Packets that each named counter of host b's rules has counted."""
        listed = json.loads(self.inside(self.b, "nft", "-j", "list", "counters"))["nftables"]
        return {item["counter"]["name"]: item["counter"]["packets"] for item in listed
                if "counter" in item}

    def socket_drops(self, port: int) -> int:
        """The last column of /proc/net/udp."""
        for line in self.inside(self.b, "cat", "/proc/net/udp").splitlines():
            words = line.split()
            if words[1].endswith(f":{port:04X}"):
                return int(words[-1])
        raise AssertionError(f"nobody has UDP port {port}")

    def queue_drops(self) -> int:
        shown = json.loads(self.inside(self.a, "tc", "-s", "-j", "qdisc", "show", "dev", "eth0"))
        return sum(int(qdisc["drops"]) for qdisc in shown if qdisc["kind"] == "tbf")

    def peer(self, port: int, behaviour: str) -> None:
        child = self.supervisor.spawn(
            f"peer-{port}",
            [sys.executable, str(HERE / "drops_peer.py"), self.b.address, str(port), behaviour],
            namespace=self.b.namespace)
        self.supervisor.wait_for_line(child, "ready")

    def client(self, port: int, behaviour: str, count: int, address: str = "") -> None:
        self.supervisor.run(f"client-{port}",
                            [sys.executable, str(HERE / "drops_client.py"),
                             address or self.b.address, str(port), behaviour, str(count)],
                            namespace=self.a.namespace, timeout_s=60)

    def start(self, capture: dict[str, Any]) -> Kindling:
        kindling = Kindling(Programs.of_test(), self.supervisor, self.directory, capture)
        kindling.address = f"127.0.0.1:{free_port()}"
        kindling.start_controller()
        kindling.start_agents({"host-a": [self.a.namespace_path], "host-b": [self.b.namespace_path]})
        return kindling

    def wait_for_failed_neighbour(self) -> None:
        """It is asked for three times, a second apart."""
        deadline = time.monotonic() + NEIGHBOUR_GIVES_UP_S
        while "FAILED" not in self.inside(self.a, "ip", "neigh", "show", DEAD_ADDRESS):
            self.assertLess(time.monotonic(), deadline, "the neighbour is still asked for")
            time.sleep(0.1)

    def flood(self) -> int:
        """More than a short queue of host a's device takes; returns what tc says was too much."""
        self.inside(self.a, *"tc qdisc add dev eth0 root tbf rate 100kbit burst 1600 limit 3000".split())
        self.client(FLOODED, "udp", 100)
        time.sleep(1)  # what is queued leaves
        dropped = self.queue_drops()
        self.inside(self.a, *"tc qdisc del dev eth0 root".split())
        return dropped

    def check(self, hook: str) -> None:
        self.peer(ECHO, "echo")
        kindling = self.start({"hook": hook})
        self.peer(SLOW, "slow")
        self.inside(self.b, "nft", "-f", "-", text=f"""
            table ip faults {{
                counter forbidden {{ }}
                counter syns {{ }}
                counter lossy {{ }}
                chain in {{
                    type filter hook input priority 0;
                    udp dport {FORBIDDEN} counter name forbidden drop
                    tcp dport {FORBIDDEN} counter name syns drop
                    tcp dport {ECHO} tcp flags & (syn | fin) == 0 numgen random mod 100 < 20 counter name lossy drop
                }}
            }}
            """)
        self.client(ECHO, "echo", EXCHANGES)
        self.client(FORBIDDEN, "udp", DATAGRAMS)
        self.client(FORBIDDEN, "syn", SYNS)
        self.client(NOBODY, "udp", DATAGRAMS)
        self.client(SLOW, "udp", 100)
        self.client(DAMAGED, "damaged", DAMAGES)
        self.client(DEAD, "udp", LOST, DEAD_ADDRESS)
        self.wait_for_failed_neighbour()
        too_much = self.flood()
        time.sleep(SETTLE_S)
        by_rule, by_socket = self.rules(), self.socket_drops(SLOW)
        exposed = kindling.agent_metrics("host-b")
        kindling.stop_agents()
        answer = kindling.get("drops")
        self.assertEqual(answer["completeness"]["fraction"], 1, answer["completeness"])
        rows: list[dict[str, Any]] = answer["drops"]

        def packets(reason: str, **wanted: str) -> int:
            return sum(int(row["packets"]) for row in rows if row["reason"] == reason
                       and all(row[name] == value for name, value in wanted.items()))

        told = "\n".join(" ".join(str(value) for value in row.values()) for row in rows)

        def to(port: int) -> str:
            return f"{self.b.address}:{port}"

        with self.subTest("a lossy rule, on the edge of a connection"):
            self.assertGreater(by_rule["lossy"], 0)
            self.assertEqual(packets("netfilter_drop", client="drops_client", server=f"drops_peer:{ECHO}",
                                     observer="server", host="host-b", place="netfilter",
                                     transport="tcp", direction="in"), by_rule["lossy"], told)
        with self.subTest("a forbidden port"):
            self.assertEqual(by_rule["forbidden"], DATAGRAMS)
            self.assertEqual(packets("netfilter_drop", serverAddress=to(FORBIDDEN), transport="udp",
                                     observer="server", host="host-b"), DATAGRAMS)
            self.assertGreaterEqual(by_rule["syns"], SYNS)
            self.assertEqual(packets("netfilter_drop", serverAddress=to(FORBIDDEN), transport="tcp",
                                     host="host-b"), by_rule["syns"])
        with self.subTest("a port that nobody listens on"):
            self.assertEqual(packets("no_socket", serverAddress=to(NOBODY), place="no_socket",
                                     transport="udp", host="host-b"), DATAGRAMS)
        with self.subTest("a slow reader, once"):
            self.assertGreater(by_socket, 0)
            self.assertEqual(packets("socket_rcvbuff", server=f"drops_peer:{SLOW}", observer="server",
                                     place="receive_buffer", host="host-b"), by_socket, told)
            self.assertEqual(packets("receive_queue"), 0)
        with self.subTest("damaged on the way"):
            self.assertEqual(packets("ip_csum", serverAddress=to(DAMAGED), place="checksum",
                                     host="host-b"), DAMAGES, told)
        with self.subTest("a neighbour that does not answer"):
            self.assertEqual(packets("neigh_failed", serverAddress=f"{DEAD_ADDRESS}:{DEAD}",
                                     place="neighbour", host="host-a", direction="out",
                                     observer="client"), LOST, told)
        with self.subTest("a queue that is full"):
            self.assertGreater(too_much, 0)
            self.assertEqual(packets("qdisc_drop", place="queue_discipline", host="host-a",
                                     direction="out"), too_much, told)
            self.assertEqual(packets("qdisc_drop", serverAddress=to(FLOODED)), too_much)
        with self.subTest("Prometheus"):
            values = [float(line.rsplit(" ", 1)[1]) for line in exposed.splitlines()
                      if line.startswith("kindling_packet_drops_total{")
                      and 'reason="netfilter_drop"' in line]
            self.assertEqual(sum(values), sum(by_rule.values()))
        with self.subTest("a filter"):
            picked = kindling.get("drops", "-f", f"server=drops_peer:{SLOW}")["drops"]
            self.assertEqual({row["server"] for row in picked}, {f"drops_peer:{SLOW}"})

    def test_without_the_hook(self) -> None:
        """What sockets count themselves is left, and the agent says what is missing."""
        kindling = self.start({"disable": ["tp_btf/kfree_skb"]})
        self.peer(SLOW, "slow")
        self.client(NOBODY, "udp", DATAGRAMS)
        self.client(SLOW, "udp", 100)
        time.sleep(SETTLE_S)
        by_socket = self.socket_drops(SLOW)
        kindling.stop_agents()
        rows = kindling.get("drops")["drops"]
        self.assertGreater(by_socket, 0)
        self.assertEqual([(row["client"], row["server"], row["observer"], row["host"], row["place"],
                           row["reason"], row["packets"]) for row in rows],
                         [("", f"drops_peer:{SLOW}", "server", "host-b", "receive_buffer",
                           "receive_queue", by_socket)])
        log = (self.directory / "kindling-agent-host-b.log").read_text(encoding="utf-8")
        self.assertIn("without tp_btf/kfree_skb (disabled by config): dropped packets", log)


if __name__ == "__main__":
    unittest.main()
