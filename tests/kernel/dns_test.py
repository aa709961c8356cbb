"""What `kindlingctl get dns` says of real resolvers, glibc's and dig's: every count is that of dnsmasq's query log, or of
what the client was told to do; servers that are broken, late, mute or dead are on addresses of their own.

Needs root and BPF; fails without them.
"""

import re
import sys
import time
import unittest
from collections import Counter
from pathlib import Path
from typing import Any

import servers
import topology
from kindling import Kindling, Programs, free_port
from procs import Child
from rig import TwoHostsTest

HERE = Path(__file__).resolve().parent
RESOLVER, DEAD = "10.77.0.2", "10.77.0.3"
SERVFAIL_PORT, LATE_PORT, MUTE_PORT = 5301, 5302, 5303
FOUND, MISSING, REFUSED, BIG, BROKEN, SEARCHED = 20, 5, 3, 4, 3, 5
SEARCH = ("a.svc.cluster.local", "svc.cluster.local", "cluster.local")
SETTLE_S = 1.5
LONGEST_S = 60
_QUERY = re.compile(r"query\[(?P<type>\w+)\] (?P<name>\S+) from ")

_DNSMASQ = """\
no-resolv
no-hosts
keep-in-foreground
user={user}
listen-address={address}
bind-interfaces
pid-file
log-queries
log-facility={dir}/queries.log
local=/test/
local=/cluster.local/
host-record=db.test,10.77.0.20
{big}
"""


class DnsTest(TwoHostsTest):
    maxDiff = None

    def setUp(self) -> None:
        super().setUp()
        topology.add_address(self.b, DEAD)

    # The pieces that it is made of.

    def start_dnsmasq(self) -> None:
        user = servers.existing_user("dnsmasq", "nobody")
        place = servers.Place(self.supervisor, self.b.namespace, self.directory)
        directory = place.own("dnsmasq", user)
        big = "\n".join(f'txt-record=big.test,"{"x" * 200}{i}"' for i in range(10))
        config = directory / "dnsmasq.conf"
        config.write_text(_DNSMASQ.format(user=user, address=RESOLVER, dir=directory, big=big))
        self.log = directory / "queries.log"
        child = self.supervisor.spawn("dnsmasq", ["dnsmasq", "-C", str(config)],
                                      namespace=self.b.namespace)
        self.supervisor.wait_until(
            child, lambda: self.log.exists() and "started" in self.log.read_text(), "its first log line")

    def peer(self, address: str, port: int, behaviour: str) -> Child:
        child = self.supervisor.spawn(
            f"peer-{behaviour}",
            [sys.executable, str(HERE / "dns_peer.py"), address, str(port), behaviour],
            namespace=self.b.namespace)
        self.supervisor.wait_for_line(child, "ready")
        return child

    def resolver_file(self, text: str) -> None:
        """For programs that start from now on."""
        (Path("/etc/netns") / self.a.namespace / "resolv.conf").write_text(text, encoding="utf-8")

    def ask(self, name: str, command: str) -> None:
        """A client; whatever it is told."""
        self.supervisor.run(name, ["sh", "-c", f"{command}; true"], namespace=self.a.namespace,
                            timeout_s=LONGEST_S)

    def dig(self, count: int, question: str, options: str = "") -> None:
        self.ask("dig", f"for i in $(seq {count}); do dig +tries=1 {options} {question}; done")

    def make_queries(self) -> None:
        self.dig(FOUND, f"db.test @{RESOLVER}")
        self.dig(MISSING, f"nosuch.test @{RESOLVER}")
        self.dig(REFUSED, f"elsewhere.example @{RESOLVER}")
        self.dig(BIG, f"big.test TXT @{RESOLVER}")
        self.dig(1, f"big.test TXT @{RESOLVER}", "+ignore")  # does not ask again
        self.dig(BROKEN, f"broken.test @{RESOLVER}", f"-p {SERVFAIL_PORT}")
        self.ask("mute", f"dig +tries=3 +timeout=1 -p {MUTE_PORT} mute.test @{RESOLVER}")
        self.resolver_file(f"nameserver {DEAD}\noptions timeout:1 attempts:3\n")
        self.ask("hasty", "getent ahostsv4 hasty.test")
        self.resolver_file(f"nameserver {DEAD}\nnameserver {RESOLVER}\noptions timeout:1\n")
        self.ask("next", "getent ahostsv4 db.test")
        self.resolver_file(f"nameserver {RESOLVER}\nsearch {' '.join(SEARCH)}\noptions ndots:5\n")
        self.ask("search", f"for i in $(seq {SEARCHED}); do getent ahostsv4 db.test; done")
        self.ask("search-both", "getent ahosts db.test")  # A and AAAA
        self.resolver_file(f"nameserver {DEAD}\n")  # with glibc's own time-out
        self.ask("patient", "getent ahostsv4 patient.test &"
                 f" dig +tries=1 +timeout=9 -p {LATE_PORT} late.test @{RESOLVER}; wait")
        time.sleep(SETTLE_S)

    def logged(self) -> Counter[str]:
        found = (_QUERY.search(line) for line in self.log.read_text().splitlines())
        return Counter(match["name"] for match in found if match)

    def test_socket_tracepoints(self) -> None:
        self.check("socket_tracepoints")

    def test_sys_exit(self) -> None:
        self.check("sys_exit")

    def check(self, hook: str) -> None:
        directory = self.directory / "kindling"
        directory.mkdir()
        kindling = Kindling(Programs.of_test(), self.supervisor, directory, {"hook": hook})
        kindling.address = f"127.0.0.1:{free_port()}"
        kindling.start_controller()
        self.start_dnsmasq()
        self.peer(DEAD, 53, "dead")
        servfail = self.peer(RESOLVER, SERVFAIL_PORT, "servfail")
        self.peer(RESOLVER, LATE_PORT, "late")
        mute = self.peer(RESOLVER, MUTE_PORT, "mute")
        kindling.start_agents({"host-a": [self.a.namespace_path], "host-b": [self.b.namespace_path]})
        self.make_queries()
        exposed = kindling.agent_metrics("host-a")
        kindling.stop_agents()
        answer = kindling.get("dns")
        self.assertEqual(answer["completeness"]["fraction"], 1, answer["completeness"])
        wasted = len(SEARCH) * (SEARCHED + 2)

        def rows(observer: str, port: int, client: str | None = None,
                 address: str = RESOLVER) -> list[dict[str, Any]]:
            """Where clients share an address, the server's side knows no more than that."""
            found = [edge for edge in answer["edges"]
                     if (edge["observer"], edge["serverAddress"]) == (observer, f"{address}:{port}")
                     and client in (None, edge["client"])]
            self.assertTrue(found, f"{observer} {port} {client}")
            return found

        def total(of: str, *where: Any) -> float:
            return sum(edge[of] for edge in rows(*where))

        def results(*where: Any) -> Counter[str]:
            found: Counter[str] = Counter()
            for edge in rows(*where):
                found.update(edge["results"])
            return found

        with self.subTest("names"):
            named = {(edge["client"], edge["server"]) for edge in answer["edges"]
                     if edge["observer"] == "client"}
            self.assertLessEqual({("dig", "dnsmasq:53"), ("dig", f"dns_peer:{MUTE_PORT}"),
                                  ("getent", "dnsmasq:53"), ("getent", f"{DEAD}:53")}, named)
        with self.subTest("every query of the log, by name and by each end"):
            logged = self.logged()
            for observer in ("client", "server"):
                counted: Counter[str] = Counter()
                for edge in kindling.get("dns", "--by-name", "-f",
                                         f"side={observer} address={RESOLVER}")["edges"]:
                    if edge["serverAddress"] == f"{RESOLVER}:53":
                        counted[edge["name"]] += edge["queries"]
                self.assertEqual(counted, logged, observer)
            self.assertEqual(logged["db.test." + SEARCH[0]], SEARCHED + 2)
        with self.subTest("results"):
            by_dig = ("client", 53, "dig")
            self.assertEqual(results(*by_dig), {"NOERROR": FOUND + 2 * BIG + 1, "NXDOMAIN": MISSING,
                                                "REFUSED": REFUSED})
            for what in ("retries", "lateAnswers", "searchWaste"):
                self.assertEqual(total(what, *by_dig), 0, what)
            # The IPv6 address is not there, its name is; and one came here after the dead server.
            self.assertEqual(results("client", 53, "getent"),
                             {"NXDOMAIN": wasted, "NOERROR": SEARCHED + 3})
            for edge in rows("client", 53):
                self.assertGreater(edge["latencyP50Ms"], 0)
                self.assertLess(edge["latencyP50Ms"], 1000)
            self.assertEqual(servfail.log.read_text().splitlines()[-1], f"queries {BROKEN}")
            for observer in ("client", "server"):
                self.assertEqual(results(observer, SERVFAIL_PORT), {"SERVFAIL": BROKEN})
        for observer in ("client", "server"):
            with self.subTest("answers that did not fit, and a search list", observer=observer):
                for what, count in (("truncated", BIG + 1), ("tcpFallbacks", BIG),
                                    ("searchWaste", wasted), ("retries", 0)):
                    self.assertEqual(total(what, observer, 53), count, what)
            with self.subTest("a mute server, and a client with a shorter time-out", observer=observer):
                self.assertEqual(mute.log.read_text().splitlines()[-1], "queries 3")
                self.assertEqual(results(observer, MUTE_PORT), {"timeout": 3})
                self.assertEqual(total("retries", observer, MUTE_PORT), 2)
                self.assertEqual(total("latencyP50Ms", observer, MUTE_PORT), 0)
            with self.subTest("an answer after the time-out", observer=observer):
                self.assertEqual(results(observer, LATE_PORT), {"timeout": 1})
                self.assertEqual(total("lateAnswers", observer, LATE_PORT), 1)
                self.assertGreater(total("latencyP99Ms", observer, LATE_PORT), 5900)
        with self.subTest("a dead server, and glibc"):
            dead = {edge["name"]: edge for edge in
                    kindling.get("dns", "--by-name", "-f", f"address={DEAD}")["edges"]}
            self.assertEqual({name: (edge["results"], edge["retries"]) for name, edge in dead.items()},
                             {"patient.test": ({"timeout": 2}, 1), "hasty.test": ({"timeout": 3}, 2),
                              "db.test": ({"timeout": 1}, 0)})
            self.assertEqual({edge["observer"] for edge in dead.values()}, {"client"})
        with self.subTest("one name"):
            named = kindling.get("dns", "--name", "db.test", "-f", "client=getent side=client")["edges"]
            self.assertEqual(sum(edge["searchWaste"] for edge in named), wasted)
        with self.subTest("Prometheus"):
            def exposed_total(name: str, *labels: str) -> float:
                lines = [line for line in exposed.splitlines()
                         if line.startswith(f"kindling_dns_{name}{{")
                         and all(label in line for label in labels)]
                return sum(float(line.rsplit(" ", 1)[1]) for line in lines)

            # What was over when the last window was.
            self.assertEqual(exposed_total("query_total", 'result="SERVFAIL"'), BROKEN)
            self.assertEqual(exposed_total("query_total", 'result="REFUSED"'), REFUSED)
            self.assertEqual(exposed_total("tcp_fallback_total"), BIG)
            self.assertEqual(exposed_total("search_waste_total"), wasted)
            self.assertGreaterEqual(exposed_total("retry_total"), 2)
            self.assertEqual(
                exposed_total("latency_seconds_count", 'src_workload_name="getent"'),
                wasted + SEARCHED + 3)


if __name__ == "__main__":
    unittest.main()
