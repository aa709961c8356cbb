"""`kindlingctl trace path` against a topology made here: a client, a router that translates addresses, a server; two agents
see them. The truth is the topology, and what the router's rules counted.

Needs root and BPF; fails without them.
"""

import json
import subprocess
import sys
import time
import unittest
from pathlib import Path
from typing import Any

import registry
import topology
from kindling import Kindling, Programs, free_port
from procs import Supervisor
from rig import require_capture

HERE = Path(__file__).resolve().parent
ECHO, SERVICE, SERVICE_PORT, SHORT = 8001, "10.96.0.1", 80, 5
ANSWER_S = 30

NAT = f"""
    add table ip nat
    add chain ip nat pre {{ type nat hook prerouting priority dstnat; }}
    add chain ip nat post {{ type nat hook postrouting priority srcnat; }}
    add rule ip nat pre ip daddr {SERVICE} tcp dport {SERVICE_PORT} dnat to 10.78.0.2:{ECHO}
    add rule ip nat post oifname to-server masquerade
    """
DROP = f"""
    add table ip faults
    add chain ip faults forward {{ type filter hook forward priority 0; }}
    add rule ip faults forward tcp dport {ECHO} counter drop
    """


class PathTest(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls) -> None:
        require_capture()
        cls.entry = registry.create(detached=False)
        cls.supervisor = Supervisor(Path(cls.entry.directory), cls.entry.add_process,
                                    Path(cls.entry.cgroup) if cls.entry.cgroup else None)
        cls.addClassCleanup(cls.close)
        cls.client, cls.router, cls.server = topology.create_routed(cls.entry)
        cls.nft(NAT)
        cls.kindling = Kindling(Programs.of_test(), cls.supervisor, Path(cls.entry.directory))
        cls.kindling.address = f"127.0.0.1:{free_port()}"
        cls.kindling.start_controller()
        cls.kindling.start_agents({
            "node-a": [cls.client.namespace_path, cls.router.namespace_path],
            "node-b": [cls.server.namespace_path]})
        peer = cls.supervisor.spawn(
            "peer", [sys.executable, str(HERE / "tcp_peer.py"), cls.server.address, str(ECHO), "echo"],
            namespace=cls.server.namespace)
        cls.supervisor.wait_for_line(peer, "ready")

    @classmethod
    def close(cls) -> None:
        cls.supervisor.stop_all()
        registry.remove(cls.entry)

    @classmethod
    def nft(cls, rules: str) -> str:
        return subprocess.run(["ip", "netns", "exec", cls.router.namespace, "nft", "-f", "-"],
                              input=rules, text=True, check=True, capture_output=True).stdout

    def talk(self, behaviour: str, count: int) -> None:
        self.supervisor.run(f"client-{behaviour}-{count}",
                            [sys.executable, str(HERE / "tcp_client.py"), SERVICE,
                             str(SERVICE_PORT), behaviour, str(count)],
                            namespace=self.client.namespace, timeout_s=ANSWER_S)

    def ctl(self, *options: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run([str(self.kindling.programs.ctl), "--controller", self.kindling.address,
                               "trace", "path", *options],
                              capture_output=True, text=True, timeout=ANSWER_S, check=False)

    def attend(self, *options: str) -> "subprocess.Popen[str]":
        """Starts the command, and returns when the agents follow packets."""
        deadline = time.monotonic() + ANSWER_S
        while True:
            command = subprocess.Popen(
                [str(self.kindling.programs.ctl), "--controller", self.kindling.address,
                 "trace", "path", *options],
                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            assert command.stdout is not None
            first = command.stdout.readline()
            # Agents come to their controller a moment after they capture.
            if "node-a, node-b" in first:
                return command
            command.kill()
            _, error = command.communicate()
            self.assertLess(time.monotonic(), deadline, first + error)
            time.sleep(0.1)

    def finish(self, command: "subprocess.Popen[str]") -> str:
        out, error = command.communicate(timeout=ANSWER_S)
        self.assertEqual(command.returncode, 0, out + error)
        return out

    def test_translated_addresses_and_both_hosts(self) -> None:
        command = self.attend("--from", self.client.address, "--to", SERVICE, "--port",
                              str(SERVICE_PORT), "--for", "3s", "--packets", "100")
        self.talk("short", 1)
        out = self.finish(command)
        packets = [block for block in out.split("#")[1:] if "10 bytes" in block.split("\n")[0]]
        there = [block for block in packets if "reply" not in block.split("\n")[0]]
        # The server's agent does not know the addresses that the router makes: it follows what leads to or from
        # the ends that were named.
        self.assertEqual(len(there), 1, out)
        lines = there[0].split("\n")
        ways = [line.split()[1:4] for line in lines[1:] if line.startswith("    ")]
        expected = [[self.client.namespace, "eth0", "queued"],
                    [self.client.namespace, "eth0", "transmit"],
                    [self.router.namespace, "to-client", "backlog"],
                    [self.router.namespace, "to-client", "received"],
                    [self.router.namespace, "to-server", "queued"],
                    [self.router.namespace, "to-server", "transmit"]]
        self.assertEqual(ways[:6], expected, out)
        self.assertIn(f"-> {SERVICE}:{SERVICE_PORT} becomes 10.78.0.1:", lines[5])
        self.assertIn(f"-> 10.78.0.2:{ECHO}", lines[5])

    def test_a_dropped_packet_is_found_where_it_was_dropped(self) -> None:
        self.nft(DROP)
        try:
            command = self.attend("--from", self.client.address, "--to", SERVICE, "--port",
                                  str(SERVICE_PORT), "--for", "4s", "--packets", "100")
            self.talk("black_hole", 1)
            out = self.finish(command)
            counted = json.loads(subprocess.run(
                ["ip", "netns", "exec", self.router.namespace, "nft", "-j", "list", "table", "ip",
                 "faults"], capture_output=True, text=True, check=True).stdout)
        finally:
            self.nft("delete table ip faults")
        rule = next(item["rule"] for item in counted["nftables"] if "rule" in item)
        dropped = next(part["counter"]["packets"] for part in rule["expr"] if "counter" in part)
        self.assertGreater(dropped, 0)
        self.assertIn(f"dropped there: {dropped} packets at node-a {self.router.namespace} to-client, "
                      "netfilter_drop in netfilter forward", out)
        self.assertEqual(out.count("  DROPPED  "), dropped, out)

    def test_summary_by_name_as_json(self) -> None:
        # The names that the map has for both ends.
        deadline = time.monotonic() + ANSWER_S
        while "tcp_client" not in {e["client"] for e in self.kindling.edges()["edges"]}:
            self.talk("short", 1)
            self.assertLess(time.monotonic(), deadline)
            time.sleep(1)
        command = subprocess.Popen(
            [str(self.kindling.programs.ctl), "--controller", self.kindling.address, "trace", "path",
             "--from", "tcp_client", "--to", f"tcp_peer:{ECHO}", "--port", str(ECHO), "--for", "5s",
             "--summary", "--rate", "100000", "-o", "json"],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        # Nothing is printed before the end: talk until it comes.
        while command.poll() is None:
            self.talk("short", SHORT)
            time.sleep(0.1)
        answer: dict[str, Any] = json.loads(self.finish(command))
        self.assertIn(self.client.address, answer["begun"]["fromAddresses"])
        self.assertIn(self.server.address, answer["begun"]["toAddresses"])
        self.assertEqual(answer["packets"], [])
        places = {(p["reply"], p["networkNamespace"], p["device"], p["place"]): p
                  for p in answer["summary"]["places"]}
        # The true ends are known where conntrack is, and from then on by what it says.
        sent = places[False, self.router.namespace, "to-server", "transmit"]
        self.assertGreaterEqual(sent["packets"], SHORT)
        self.assertGreater(sent["p50Ms"], 0)
        self.assertLessEqual(sent["p50Ms"], sent["p99Ms"])
        self.assertIn((False, self.client.namespace, "eth0", "queued"), places)
        self.assertNotIn("dropped", answer["summary"]["outcomes"])

    def test_what_cannot_be_traced(self) -> None:
        unknown = self.ctl("--from", "nobody-is-called-so", "--to", SERVICE)
        self.assertEqual(unknown.returncode, 1)
        self.assertIn("get services", unknown.stderr)
        self.assertEqual(self.ctl("--from", SERVICE).returncode, 2)
        self.assertEqual(self.ctl("--from", SERVICE, "--to", SERVICE, "--port", "0").returncode, 2)
        self.assertEqual(self.ctl("--from", SERVICE, "--to", SERVICE, "--for", "1d").returncode, 2)

    def test_nothing_passes(self) -> None:
        command = self.attend("--from", "192.0.2.1", "--to", "192.0.2.2", "--for", "1s")
        self.assertIn("no packet passed", self.finish(command))


if __name__ == "__main__":
    unittest.main()
