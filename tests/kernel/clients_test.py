"""Debian's own clients and servers, watched on both data paths: every edge, count and status code must be exact.

Needs root and BPF; fails without them.
"""

import time
import unittest
from collections import Counter
from typing import Any

import client_programs
import servers
import truth
from client_programs import DNS_TCP, DNS_UDP, GOOD, HTTP, MYSQL_TCP, MYSQL_UNIX, REDIS_TCP, REDIS_UNIX, Run
from compare import key_of
from edges import EdgeKey
from rig import Rig

# After which the agent takes a quiet response for ended.
SETTLE_S = 2.5


class ClientsTest(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls) -> None:
        cls.rig = Rig.of_class(cls)
        servers.start_nginx(cls.rig.place, "127.0.0.1")
        servers.start_redis(cls.rig.place)
        servers.start_dnsmasq(cls.rig.place)
        servers.start_mariadb(cls.rig.place)
        directory = cls.rig.directory
        cls.runs = [*client_programs.curl_runs(directory), *client_programs.redis_runs(directory),
                    *client_programs.mysql_runs(directory), *client_programs.dig_runs()]
        cls.rig.client("wait-for-nginx", "curl --disable --silent --retry 20 --retry-connrefused "
                       "--retry-delay 1 -o /dev/null http://127.0.0.1/")

    def test_socket_tracepoints(self) -> None:
        self.check("socket_tracepoints")

    def test_sys_exit(self) -> None:
        self.check("sys_exit")

    def test_what_lies_behind_the_captured_head_of_a_call_is_lost_and_said_to_be(self) -> None:
        commands = self.rig.directory / "long-pipe.commands"
        commands.write_bytes(client_programs.pipe_of(900))
        sent = 901  # and the ECHO
        kindling = self.rig.kindling("long-pipe")
        kindling.start_controller()
        self.rig.start_agent(kindling)
        self.rig.client("redis-long-pipe", f"redis-cli --pipe < {commands}")
        time.sleep(SETTLE_S)
        kindling.stop_agents()
        answer = kindling.edges()
        self.assertEqual([key_of(edge) for edge in answer["edges"]], [REDIS_TCP])
        counted = answer["edges"][0]["requestCount"]
        self.assertGreater(counted, 0)
        self.assertLess(counted, sent)
        self.assertGreaterEqual(answer["completeness"]["lost"], sent - counted)
        self.assertLess(answer["completeness"]["fraction"], 1)

    def check(self, hook: str) -> None:
        logs = {name: truth.LogMark.at_end(self.rig.directory / file) for name, file in (
            ("access", "nginx/access.log"), ("general", "mariadb/general.log"),
            ("queries", "dnsmasq/queries.log"))}
        redis_before = truth.parse_commandstats(servers.redis_commandstats(self.rig.directory))
        kindling = self.rig.kindling(hook, {"hook": hook})
        kindling.start_controller()
        self.rig.start_agent(kindling)
        for run in self.runs:
            self.rig.client(run.name, run.command)
        time.sleep(SETTLE_S)
        kindling.stop_agents()
        self.check_servers(logs, redis_before)
        self.check_answer(kindling.edges(), kindling.edges("--by-endpoint"))

    def check_servers(self, logs: dict[str, truth.LogMark], redis_before: dict[str, int]) -> None:
        """What the clients are said to have sent is what the servers have counted."""
        sent = client_programs.codes_by_edge(self.runs)
        with self.subTest(server="nginx"):
            self.assertEqual(client_programs.access_log_codes(logs["access"].lines_after()),
                             sent[HTTP])
        with self.subTest(server="redis-server"):
            after = truth.parse_commandstats(servers.redis_commandstats(self.rig.directory))
            # A name that is no command has no statistics.
            self.assertEqual(truth.redis_requests(redis_before, after),
                             _requests(self.runs, REDIS_TCP, REDIS_UNIX) - sent[REDIS_TCP]["ERR"],
                             f"{redis_before} and then {after}")
        with self.subTest(server="dnsmasq"):
            queries = truth.count_dns_queries(logs["queries"].lines_after())
            self.assertEqual(sum(queries.values()), _requests(self.runs, DNS_UDP, DNS_TCP))
        with self.subTest(server="mariadbd"):
            lines = logs["general"].lines_after()
            queries = sum(" Query\t" in line for line in lines)
            self.assertEqual(queries, _requests(self.runs, MYSQL_TCP, MYSQL_UNIX), "\n".join(lines))

    def check_answer(self, answer: dict[str, Any], by_endpoint: dict[str, Any]) -> None:
        sent = client_programs.codes_by_edge(self.runs)
        shown = {key_of(edge): edge for edge in answer["edges"]}
        self.assertEqual(len(shown), len(answer["edges"]), "an edge is shown twice")
        self.assertEqual(sorted(shown), sorted(sent))
        codes: dict[EdgeKey, Counter[str]] = {}
        for row in by_endpoint["edges"]:
            codes.setdefault(key_of(row), Counter())[row["statusCode"]] += row["requestCount"]
        for edge, expected in sent.items():
            with self.subTest(edge=str(edge)):
                row = shown[edge]
                errors = sum(count for code, count in expected.items() if code not in GOOD)
                self.assertEqual(dict(codes[edge]), expected)
                for view in (row, row["clientView"], row["serverView"]):
                    self.assertEqual(view["requestCount"], sum(expected.values()))
                    self.assertEqual(view["errorCount"], errors)
                    self.assertEqual(view["lost"], 0)
                self.assertEqual(row["observer"], "both")
                self.assertEqual(row["connectFailures"], 0)
                self.assertEqual(row.get("notes", []), [])
        for whole in (answer["completeness"], by_endpoint["completeness"]):
            self.assertEqual(whole["lost"], 0)
            self.assertEqual(whole["fraction"], 1)


def _requests(runs: list[Run], *edges: EdgeKey) -> int:
    return sum(run.requests for run in runs if run.edge in edges)


if __name__ == "__main__":
    unittest.main()
