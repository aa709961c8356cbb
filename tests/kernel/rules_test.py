"""Packets that nftables lets through, drops and rejects between two hosts, and what `kindlingctl trace rules` says of them:
the rule that did it, as often as the rule's own counter. What it adds is gone afterwards, also when the agent is killed.

Needs root and BPF; fails without them.
"""

import json
import subprocess
import sys
import time
import unittest
from typing import Any

from kindling import Kindling, Programs, free_port
from rig import TwoHostsTest

DROPPED, OPEN = 8021, 8022
RULES = f"""
table ip filter {{
  chain input {{
    type filter hook input priority 0; policy accept;
    jump services
  }}
  chain services {{
    udp dport {DROPPED} counter drop
    udp dport {OPEN} counter accept
  }}
}}
"""
SEND = """
import socket, sys, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for _ in range(int(sys.argv[3])):
    s.sendto(b"x" * 10, (sys.argv[1], int(sys.argv[2])))
    time.sleep(0.05)
"""


class RulesTest(TwoHostsTest):
    def setUp(self) -> None:
        super().setUp()
        self.nft("-f", "-", rules=RULES)
        self.kindling = Kindling(Programs.of_test(), self.supervisor, self.directory, {})
        self.kindling.address = f"127.0.0.1:{free_port()}"
        self.kindling.start_controller()
        self.kindling.start_agents({"host-a": [self.a.namespace_path], "host-b": [self.b.namespace_path]})

    def nft(self, *arguments: str, rules: str = "") -> str:
        return subprocess.run(["ip", "netns", "exec", self.b.namespace, "nft", *arguments], input=rules, text=True,
                              check=True, capture_output=True).stdout

    def tables(self) -> set[str]:
        listed = json.loads(self.nft("-j", "list", "tables"))["nftables"]
        return {entry["table"]["name"] for entry in listed if "table" in entry}

    def counter(self, port: int) -> int:
        listed = json.loads(self.nft("-j", "list", "chain", "ip", "filter", "services"))["nftables"]
        for entry in listed:
            expressions = entry.get("rule", {}).get("expr", [])
            if any(e.get("match", {}).get("right") == port for e in expressions):
                return next(e["counter"]["packets"] for e in expressions if "counter" in e)
        raise AssertionError(f"no rule for {port}")

    def trace(self, *options: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [str(self.kindling.programs.ctl), "--controller", self.kindling.address, "trace", "rules", *options],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def await_mark(self, present: bool = True) -> None:
        deadline = time.monotonic() + 20
        while any(name.startswith("kindling_trace") for name in self.tables()) != present:
            self.assertLess(time.monotonic(), deadline, self.tables())
            time.sleep(0.05)

    def send(self, port: int, count: int) -> None:
        self.supervisor.run(f"send-{port}-{time.monotonic_ns()}",
                            [sys.executable, "-c", SEND, self.b.address, str(port), str(count)],
                            namespace=self.a.namespace)

    def answer(self, tracing: subprocess.Popen[str], status: int = 0) -> dict[str, Any]:
        out, err = tracing.communicate(timeout=60)
        self.assertEqual(tracing.returncode, status, err)
        answer: dict[str, Any] = json.loads(out)
        return answer

    def test_the_rule_that_drops(self) -> None:
        tracing = self.trace("--to", self.b.address, "--port", str(DROPPED), "--for", "4s", "--node", "host-b",
                             "-o", "json")
        self.await_mark()
        self.send(DROPPED, 5)
        packets = self.answer(tracing)["packets"]
        self.assertEqual(len(packets), self.counter(DROPPED))
        self.assertEqual(len(packets), 5)
        for packet in packets:
            self.assertEqual((packet["verdict"], packet["host"], packet["inputDevice"], packet["bytes"]),
                             ("drop", "host-b", "eth0", 38))
            self.assertRegex(packet["flow"], rf"^udp {self.a.address}:\d+ > {self.b.address}:{DROPPED}$")
            self.assertEqual([(s["table"], s["chain"], s["verdict"]) for s in packet["steps"]],
                             [("filter", "input", "jump services"), ("filter", "services", "drop")])
            self.assertRegex(packet["steps"][-1]["rule"], rf"^udp dport {DROPPED} counter drop$")
        self.await_mark(False)

    def test_what_is_let_through_and_the_end_after_enough(self) -> None:
        tracing = self.trace("--to", self.b.address, "--port", str(OPEN), "--for", "60s", "--packets", "3")
        self.await_mark()
        begin = time.monotonic()
        self.send(OPEN, 6)
        out, err = tracing.communicate(timeout=50)
        self.assertEqual(tracing.returncode, 0, err)
        self.assertLess(time.monotonic() - begin, 40)
        print(out)  # for whoever reads the log of the test
        self.assertIn(f"ip filter services: udp dport {OPEN}", out)
        self.assertEqual(out.count("goes on"), 3, out)
        self.await_mark(False)

    def test_a_killed_agent_leaves_no_mark(self) -> None:
        tracing = self.trace("--port", str(DROPPED), "--for", "60s", "--node", "host-b", "-o", "json")
        self.await_mark()
        self.kindling.kill_agent("host-b")
        self.await_mark(False)
        ends = self.answer(tracing, status=3)["ends"]
        self.assertIn("went away", ends[0]["error"])
        self.assertEqual(self.tables(), {"filter"})

    def test_a_wrong_selection(self) -> None:
        for options, what in (((), "say which packets"), (("--to", "localhost"), "no IP address"),
                              (("--to", "10.0.0.1", "--node", "nowhere"), "no agent of host")):
            tracing = self.trace(*options)
            _, err = tracing.communicate(timeout=30)
            self.assertNotEqual(tracing.returncode, 0)
            self.assertIn(what, err)


if __name__ == "__main__":
    unittest.main()
