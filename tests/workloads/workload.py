"""The demo application on its two hosts, and what it really did.

Host a: load generator and nginx. Host b: shop, redis-server, mariadbd, dnsmasq.
The looks at counters (Snapshot) use a connection of their own: take them while nobody captures.
"""

import json
import shutil
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import edges
import servers
import topology
import truth
from edges import EdgeTruth
from procs import Child, Supervisor, existing_user

PYTHON = "/usr/bin/python3"
_APP = Path(__file__).resolve().parent / "app"


@dataclass(frozen=True)
class Snapshot:
    """Where every log and counter stood at one moment."""

    access: truth.LogMark
    general: truth.LogMark
    queries: truth.LogMark
    commandstats: dict[str, int]
    pings: int
    shop: dict[str, int]


class Workload:
    def __init__(self, supervisor: Supervisor, directory: Path,
                 hosts: tuple[topology.Host, topology.Host]) -> None:
        self._supervisor = supervisor
        self._directory = directory
        self._a, self._b = hosts
        self._app = directory / "app"
        self._counters = directory / "shop" / "counters.json"
        self._shop: Child | None = None
        self._load: Child | None = None

    def start(self) -> None:
        """Starts everything and sends one request of each kind."""
        # A copy that other users can read, wherever the checkout is.
        shutil.copytree(_APP, self._app, ignore=shutil.ignore_patterns("__pycache__", "*_test.py"))
        place_b = servers.Place(self._supervisor, self._b.namespace, self._directory)
        servers.start_redis(place_b)
        servers.start_dnsmasq(place_b)
        servers.start_mariadb(place_b)
        user = existing_user("nobody")
        place_b.own("shop", user)
        self._shop = self._supervisor.spawn(
            "shop", [PYTHON, str(self._app / "shop.py"), "--counters", str(self._counters),
                     "--mysql-socket", str(servers.mariadb_socket(self._directory))],
            namespace=self._b.namespace, user=user)
        self._supervisor.wait_for_line(self._shop, "ready:")
        place_a = servers.Place(self._supervisor, self._a.namespace, self._directory)
        servers.start_nginx(place_a, self._b.address)
        self._supervisor.run("warm-up", [*self._loadgen(), "--warm-up"],
                             namespace=self._a.namespace, user=user)

    def _loadgen(self) -> list[str]:
        return [PYTHON, str(self._app / "loadgen.py"), "--connect", f"{self._a.address}:80"]

    def start_load(self, rate: float, seconds: float, seed: int) -> None:
        with (self._directory / "load.json").open("wb") as output:
            self._load = self._supervisor.spawn(
                "loadgen", [*self._loadgen(), "--rate", str(rate), "--for-seconds", str(seconds),
                            "--seed", str(seed)],
                namespace=self._a.namespace, user=existing_user("nobody"), stdout=output)

    def load_ended(self) -> bool:
        return self._load is None or self._load.process.poll() is not None

    def end_load(self, timeout_s: float = 30.0) -> dict[str, Any]:
        """Ends the load if it has not ended; returns what the generator says it sent."""
        assert self._load is not None
        if not self.load_ended():
            self._load.process.send_signal(signal.SIGTERM)
        load, self._load = self._load, None
        self._supervisor.wait(load, timeout_s)
        summary: dict[str, Any] = json.loads((self._directory / "load.json").read_text())
        return summary

    def check_load(self) -> None:
        """The load generator may end by itself; everything else must not."""
        self._supervisor.check(besides=self._load)

    def snapshot(self) -> Snapshot:
        assert self._shop is not None
        self._counters.unlink(missing_ok=True)
        self._shop.process.send_signal(signal.SIGUSR1)
        self._supervisor.wait_until(self._shop, self._counters.exists, "its counters file")
        return Snapshot(
            access=truth.LogMark.at_end(self._directory / "nginx" / "access.log"),
            general=truth.LogMark.at_end(self._directory / "mariadb" / "general.log"),
            queries=truth.LogMark.at_end(self._directory / "dnsmasq" / "queries.log"),
            commandstats=truth.parse_commandstats(servers.redis_commandstats(self._directory)),
            pings=servers.mariadb_pings(self._directory),
            shop=json.loads(self._counters.read_text()))


def edge_truth(before: Snapshot, after: Snapshot, load: dict[str, Any]) -> list[EdgeTruth]:
    """The requests of every edge between two snapshots, by server and by client."""
    access = truth.count_access_log(before.access.lines_after())
    mysql = truth.count_general_log(before.general.lines_before(), before.general.lines_after(),
                                    "shop")
    # The shop pings MariaDB over TCP only.
    mysql_tcp = mysql.get("tcp", 0) + after.pings - before.pings
    dns = truth.count_dns_queries(before.queries.lines_after())

    def shop(name: str) -> int:
        return after.shop.get(name, 0) - before.shop.get(name, 0)

    return [
        EdgeTruth(edges.LOADGEN_NGINX, {"nginx access log": access.requests,
                                        "load generator": int(load["sent"])}),
        EdgeTruth(edges.NGINX_SHOP, {"shop counter": shop("http"),
                                     "nginx access log": access.forwarded}),
        EdgeTruth(edges.SHOP_REDIS, {
            "redis commandstats": truth.redis_requests(before.commandstats, after.commandstats),
            "shop counter": shop("redis")}),
        EdgeTruth(edges.SHOP_MYSQL_TCP, {"mariadb general log and status": mysql_tcp,
                                         "shop counter": shop("mysql/tcp")}),
        EdgeTruth(edges.SHOP_MYSQL_UNIX, {"mariadb general log": mysql.get("unix", 0),
                                          "shop counter": shop("mysql/unix")}),
        EdgeTruth(edges.SHOP_DNS, {"dnsmasq query log": sum(dns.values()),
                                   "shop counter": shop("dns")}),
    ]
