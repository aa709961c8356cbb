"""What `kindlingctl get interfaces` says of two hosts whose network is made to suffer, against what the kernel itself says
there: tc for queueing disciplines, ip for devices, nstat for protocols, /proc for conntrack and memory, ss for ports.

Needs root and BPF; fails without them.
"""

import json
import resource
import subprocess
import sys
import time
import unittest
from pathlib import Path
from typing import Any

import topology
from kindling import Kindling, Programs, free_port
from rig import TwoHostsTest

LOAD = Path(__file__).resolve().parent / "network_load.py"
DEAF, HELD, NOBODY = 9001, 9002, 9003
FLOODED, CONNECTIONS, FLOWS = 400, 40, 120
SETTLE_S = 5  # two windows


class InterfacesTest(TwoHostsTest):
    maxDiff = None

    def setUp(self) -> None:
        super().setUp()
        self.kindling = Kindling(Programs.of_test(), self.supervisor, self.directory)
        self.kindling.address = f"127.0.0.1:{free_port()}"

    # The pieces that it is made of.

    def inside(self, host: topology.Host, *command: str) -> str:
        return subprocess.run(["ip", "netns", "exec", host.namespace, *command],
                              capture_output=True, text=True, check=True).stdout

    def nstat(self, host: topology.Host, name: str) -> int:
        return int(json.loads(self.inside(host, "nstat", "-asz", "--json", name))["kernel"][name])

    def number(self, host: topology.Host, path: str) -> int:
        return int(self.inside(host, "cat", path))

    def device(self, host: topology.Host, name: str) -> dict[str, Any]:
        stats: dict[str, Any] = json.loads(
            self.inside(host, "ip", "-s", "-j", "link", "show", name))[0]["stats64"]
        return stats

    def qdisc(self, host: topology.Host, kind: str) -> dict[str, Any]:
        for qdisc in json.loads(self.inside(host, "tc", "-s", "-j", "qdisc", "show", "dev", "eth0")):
            if qdisc["kind"] == kind:
                found: dict[str, Any] = qdisc
                return found
        raise AssertionError(f"no {kind}")

    def load(self, host: topology.Host, behaviour: str, address: str, port: int, count: int = 0) -> None:
        words = [sys.executable, str(LOAD), behaviour, address, str(port), str(count)]
        if behaviour == "flood":
            self.supervisor.run(behaviour, words, namespace=host.namespace)
            return
        child = self.supervisor.spawn(behaviour, words, namespace=host.namespace)
        self.supervisor.wait_for_line(child, "ready")

    def interface(self, answer: dict[str, Any], host: str, device: str) -> dict[str, Any]:
        found: dict[str, Any]
        (found,) = [row for row in answer["interfaces"]
                    if (row["host"], row["device"]) == (host, device)]
        return found

    def test_two_hosts(self) -> None:
        a, b = self.a, self.b
        self.inside(a, "tc", "qdisc", "add", "dev", "eth0", "root", "tbf", "rate", "20mbit", "burst",
                    "10k", "limit", "20k")
        self.inside(b, "nft", "add table ip track; add chain ip track in { type filter hook input "
                    "priority 0; }; add rule ip track in ct state new counter accept")
        for host in (a, b):  # IPv6 would speak by itself
            self.inside(host, "ip", "-6", "addr", "flush", "dev", "eth0")
        # One that goes away while it is watched.
        gone = topology.Host(f"{self.entry.name}-c", "")
        self.entry.namespaces.append(gone.namespace)
        self.entry.save()
        subprocess.run(["ip", "netns", "add", gone.namespace], check=True)
        self.kindling.start_controller()
        devices_before = {host: self.device(host, "eth0") for host in (a, b)}
        self.kindling.start_agents({"host-a": [a.namespace_path, gone.namespace_path],
                                    "host-b": [b.namespace_path]})
        subprocess.run(["ip", "netns", "del", gone.namespace], check=True)

        self.load(b, "deaf", b.address, DEAF)
        self.load(b, "listen", b.address, HELD)
        self.load(a, "flood", b.address, DEAF, FLOODED)
        self.load(a, "hold", b.address, HELD, CONNECTIONS)
        self.load(a, "flows", b.address, NOBODY, FLOWS)
        time.sleep(SETTLE_S)
        conntrack = self.number(b, "/proc/sys/net/netfilter/nf_conntrack_count")
        ports = self.inside(a, "ss", "-Htan", "src", a.address)
        exposed = self.kindling.agent_metrics("host-a")
        self.kindling.stop_agents()
        tbf = self.qdisc(a, "tbf")
        devices_after = {host: self.device(host, "eth0") for host in (a, b)}
        answer = self.kindling.get("interfaces")
        namespaces = {row["host"]: row for row in answer["namespaces"]
                      if not row["netns"].endswith("-c")}
        hosts = {row["host"]: row for row in answer["hosts"]}
        self.assertEqual(answer["completeness"]["fraction"], 1, answer["completeness"])

        with self.subTest("a queue that is too short"):
            (queue,) = [q for q in self.interface(answer, "host-a", "eth0")["qdiscs"]
                        if q["name"].startswith("tbf")]
            self.assertGreater(queue["drops"], 0)
            self.assertEqual((queue["name"], queue["drops"], queue["overlimits"]),
                             (f"tbf {tbf['handle']} root", tbf["drops"], tbf["overlimits"]))
        with self.subTest("devices"):
            for host, name in ((a, "host-a"), (b, "host-b")):
                seen = self.interface(answer, name, "eth0")
                self.assertTrue(seen["up"])
                for ours, way, theirs in (("receivedBytes", "rx", "bytes"),
                                          ("sentBytes", "tx", "bytes"),
                                          ("receivedPackets", "rx", "packets"),
                                          ("sentPackets", "tx", "packets")):
                    grown = (devices_after[host][way][theirs] - devices_before[host][way][theirs])
                    # ARP may ask once more before this looks.
                    self.assertLessEqual(seen[ours], grown, (name, ours))
                    self.assertLessEqual(grown - seen[ours], 4 if theirs == "packets" else 4 * 42,
                                         (name, ours))
                self.assertGreater(seen["sentPackets"], CONNECTIONS)
                self.assertEqual((seen["receiveErrors"], seen["sendErrors"]), (0, 0))
        with self.subTest("a receiver that does not read"):
            lost = self.nstat(b, "UdpRcvbufErrors")
            self.assertGreater(lost, 0)
            self.assertEqual(namespaces["host-b"]["protocolDrops"]["Udp.RcvbufErrors"], lost)
            self.assertEqual(namespaces["host-b"]["protocolDrops"]["Udp.NoPorts"],
                             self.nstat(b, "UdpNoPorts"))
        with self.subTest("conntrack"):
            self.assertGreaterEqual(conntrack, FLOWS + CONNECTIONS)
            self.assertEqual(namespaces["host-b"]["conntrackEntries"], conntrack)
            self.assertEqual(namespaces["host-b"]["conntrackMax"],
                             self.number(b, "/proc/sys/net/netfilter/nf_conntrack_max"))
        with self.subTest("ports"):
            used = {line.split()[3] for line in ports.splitlines()}
            self.assertEqual(len(used), CONNECTIONS)
            self.assertEqual(namespaces["host-a"]["localPortsUsed"], CONNECTIONS)
            self.assertEqual(namespaces["host-a"]["localPortsAddress"], a.address)
            first, last = self.inside(a, "cat", "/proc/sys/net/ipv4/ip_local_port_range").split()
            self.assertEqual(namespaces["host-a"]["localPorts"], int(last) - int(first) + 1)
            self.assertEqual(namespaces["host-a"]["sockets"]["tcp"], CONNECTIONS)
        with self.subTest("the host"):
            limits = Path("/proc/sys/net/ipv4/tcp_mem").read_text(encoding="utf-8").split()
            page = resource.getpagesize()
            self.assertEqual(hosts["host-a"]["tcpMemoryMaxBytes"], int(limits[2]) * page)
            self.assertEqual(hosts["host-a"]["tcpMemoryPressureBytes"], int(limits[1]) * page)
            self.assertGreater(hosts["host-a"]["softirqPackets"], CONNECTIONS)
        with self.subTest("a namespace that went away"):
            self.assertGreater(hosts["host-a"]["unread"]["namespace_gone"], 0)
            self.assertEqual(hosts["host-b"]["unread"], {})
        with self.subTest("Prometheus"):
            def series(name: str) -> list[str]:
                return [line for line in exposed.splitlines() if line.startswith(f"kindling_{name}{{")]
            self.assertEqual([float(line.rsplit(" ", 1)[1]) for line in series("net_qdisc_drops_total")
                              if 'device="eth0"' in line], [tbf["drops"]])
            self.assertEqual([line for line in series("net_link_up") if 'device="eth0"' in line],
                             [f'kindling_net_link_up{{device="eth0",node="host-a",'
                              f'netns="{a.namespace}"}} 1'])
        with self.subTest("a filter"):
            picked = self.kindling.get("interfaces", "-f", f"host=host-a netns={a.namespace} device=eth0")
            self.assertEqual([row["device"] for row in picked["interfaces"]], ["eth0"])
            self.assertEqual(picked["namespaces"], [])


if __name__ == "__main__":
    unittest.main()
