"""A client that reaches two servers through a router that changes addresses, by nftables and by iptables, and what
`kindlingctl get nat` and `get tcp` say: the true ends, with both addresses, as often as the rules were met.

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
from rig import HostsTest

HERE = Path(__file__).resolve().parent
SERVICE, PUBLISHED, PORT = "10.96.0.1", "10.96.0.2", 8080
BY_NFT, BY_IPTABLES, DIRECT = 60, 20, 10
SETTLE_S = 5  # two windows


class NatTest(HostsTest):
    maxDiff = None

    def setUp(self) -> None:
        super().setUp()
        names = ["client", "router", "one", "two"]
        self.hosts = {name: topology.Host(f"{self.entry.name}-{name}", f"10.78.{i}.2")
                      for i, name in enumerate(names)}
        self.entry.namespaces = [host.namespace for host in self.hosts.values()]
        self.entry.save()
        for host in self.hosts.values():
            self.ip("netns", "add", host.namespace)
            self.ip("-n", host.namespace, "link", "set", "lo", "up")
        for name in ("client", "one", "two"):
            self.connect(self.hosts[name], name)
        self.inside("router", "sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward")

    # The pieces that it is made of.

    def ip(self, *words: str) -> None:
        subprocess.run(["ip", *words], check=True, capture_output=True)

    def inside(self, name: str, *command: str) -> str:
        return subprocess.run(["ip", "netns", "exec", self.hosts[name].namespace, *command],
                              capture_output=True, text=True, check=True).stdout

    def connect(self, host: topology.Host, name: str) -> None:
        router = self.hosts["router"].namespace
        gateway = host.address.removesuffix(".2") + ".1"
        self.ip("link", "add", "eth0", "netns", host.namespace, "type", "veth",
                "peer", "name", f"to_{name}", "netns", router)
        self.ip("-n", host.namespace, "addr", "add", f"{host.address}/24", "dev", "eth0")
        self.ip("-n", router, "addr", "add", f"{gateway}/24", "dev", f"to_{name}")
        self.ip("-n", host.namespace, "link", "set", "eth0", "up")
        self.ip("-n", router, "link", "set", f"to_{name}", "up")
        self.ip("-n", host.namespace, "route", "add", "default", "via", gateway)

    def add_rules(self) -> None:
        one, two = self.hosts["one"].address, self.hosts["two"].address
        self.inside("router", "nft", f"""
            table ip nat_test {{
              chain before {{
                type nat hook prerouting priority dstnat;
                ip daddr {SERVICE} tcp dport 80 counter dnat to numgen inc mod 2 map {{
                  0 : {one} . {PORT}, 1 : {two} . {PORT} }}
              }}
              chain after {{
                type nat hook postrouting priority srcnat;
                oifname "to_one" masquerade
              }}
            }}""")
        self.inside("router", "iptables", "-t", "nat", "-A", "PREROUTING", "-d", PUBLISHED, "-p", "tcp",
                    "--dport", "80", "-j", "DNAT", "--to-destination", f"{two}:{PORT}")

    def call(self, address: str, port: int, count: int) -> None:
        self.supervisor.run(f"client-{address}",
                            [sys.executable, str(HERE / "tcp_client.py"), address, str(port), "short",
                             str(count)], namespace=self.hosts["client"].namespace)

    def start(self, scopes: dict[str, list[str]], disabled: list[str]) -> Kindling:
        kindling = Kindling(Programs.of_test(), self.supervisor, self.directory)
        kindling.address = f"127.0.0.1:{free_port()}"
        kindling.network = {"disable": disabled}
        kindling.start_controller()
        kindling.start_agents(scopes)
        for name in ("one", "two"):
            child = self.supervisor.spawn(
                f"server-{name}", [sys.executable, str(HERE / "tcp_peer.py"), "0.0.0.0", str(PORT),
                                   "echo"], namespace=self.hosts[name].namespace)
            self.supervisor.wait_for_line(child, "ready")
        return kindling

    def test_without_conntrack_addresses_are_those_asked(self) -> None:
        self.add_rules()
        kindling = self.start({"node-1": [self.hosts["client"].namespace_path,
                                          self.hosts["router"].namespace_path]},
                              disabled=["conntrack", "interfaces"])
        self.call(SERVICE, 80, DIRECT)
        time.sleep(SETTLE_S)
        kindling.stop_agents()
        self.assertEqual(kindling.get("nat")["edges"], [])
        self.assertEqual(kindling.get("interfaces")["interfaces"], [])
        edges = {(edge["client"], edge["server"]): edge["connects"]
                 for edge in kindling.get("tcp")["edges"]}
        self.assertEqual(edges, {("tcp_client", f"{SERVICE}:80"): DIRECT})

    def test_a_recording_has_what_nat_did(self) -> None:
        self.add_rules()
        kindling = self.start({}, disabled=["interfaces"])
        file = self.directory / "nat.krec"
        agent = kindling.start_recording(file, [self.hosts["client"].namespace_path,
                                                self.hosts["router"].namespace_path])
        self.call(SERVICE, 80, DIRECT)
        time.sleep(SETTLE_S)
        self.supervisor.stop([agent])
        live = kindling.get("nat")["edges"]
        self.assertEqual(sum(edge["connections"] for edge in live), DIRECT)
        kindling.replay(file)
        replayed = kindling.get("nat")["edges"]
        for edge in live:
            edge["connections"] *= 2  # the store has both runs
        self.assertEqual(replayed, live)

    def test_true_ends_with_both_addresses(self) -> None:
        self.add_rules()
        one, two = self.hosts["one"], self.hosts["two"]
        paths = {name: host.namespace_path for name, host in self.hosts.items()}
        kindling = self.start({"node-1": [paths["client"], paths["router"]],
                               "node-2": [paths["one"], paths["two"]],
                               "gateway": [paths["router"]]}, disabled=[])
        self.call(SERVICE, 80, BY_NFT)
        self.call(PUBLISHED, 80, BY_IPTABLES)
        self.call(two.address, PORT, DIRECT)
        time.sleep(SETTLE_S)
        exposed = kindling.agent_metrics("node-1")
        kindling.stop_agents()
        (rule,) = [rule["rule"]["expr"] for rule in json.loads(
            self.inside("router", "nft", "-j", "list", "chain", "ip", "nat_test", "before"))["nftables"]
            if "rule" in rule]
        (counted,) = [part["counter"]["packets"] for part in rule if "counter" in part]
        self.assertEqual(counted, BY_NFT)
        answer = kindling.get("nat")
        self.assertEqual(answer["completeness"]["fraction"], 1, answer["completeness"])

        def rows(observer: str) -> set[tuple[Any, ...]]:
            return {(edge["client"], edge["server"], edge["kind"], edge["askedAddress"],
                     edge["serverAddress"], edge["seenAsAddress"], edge["connections"])
                    for edge in answer["edges"] if edge["observer"] == observer}

        def expected(client: str) -> set[tuple[Any, ...]]:
            server = f"tcp_peer:{PORT}"
            return {(client, server, "dnat+snat", f"{SERVICE}:80", f"{one.address}:{PORT}",
                     one.address.removesuffix(".2") + ".1", BY_NFT / 2),
                    (client, server, "dnat", f"{SERVICE}:80", f"{two.address}:{PORT}", "", BY_NFT / 2),
                    (client, server, "dnat", f"{PUBLISHED}:80", f"{two.address}:{PORT}", "",
                     BY_IPTABLES)}

        with self.subTest("the client's end"):
            self.assertEqual(rows("client"), expected("tcp_client"))
        with self.subTest("a host that only forwards"):
            forwarded = {row[2:] for row in rows("unknown")}
            self.assertEqual(forwarded, {row[2:] for row in expected("")})
        with self.subTest("TCP's edges have the true server"):
            edges = {(edge["client"], edge["server"]): edge["connects"]
                     for edge in kindling.get("tcp", "-f", "side=client")["edges"]}
            self.assertEqual(edges, {("tcp_client", f"tcp_peer:{PORT}"): BY_NFT + BY_IPTABLES + DIRECT})
        with self.subTest("no address of a service among the edges"):
            for edge in kindling.edges()["edges"]:
                self.assertFalse(edge["server"].startswith("10.96."), edge)
        with self.subTest("Prometheus"):
            values = [float(line.rsplit(" ", 1)[1]) for line in exposed.splitlines()
                      if line.startswith("kindling_nat_connections_total{")
                      and 'src_workload_name="tcp_client"' in line]
            self.assertEqual(sum(values), BY_NFT + BY_IPTABLES)
        with self.subTest("a filter"):
            picked = kindling.get("nat", "-f", f"side=client address={one.address}")["edges"]
            self.assertEqual([edge["kind"] for edge in picked], ["dnat+snat"])


if __name__ == "__main__":
    unittest.main()
