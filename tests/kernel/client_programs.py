"""Runs of Debian's client programs, each with the requests it makes, by status code.

The counts are those of the protocols: what each program is documented to send. clients_test.py also holds them against
the servers' own logs and counters.
"""

import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import servers
from edges import EdgeKey

HTTP = EdgeKey("curl", "nginx:80", "http", "tcp")
REDIS_TCP = EdgeKey("redis-cli", "redis-server:6379", "redis", "tcp")
REDIS_UNIX = EdgeKey("redis-cli", "redis-server:6379", "redis", "unix")
MYSQL_TCP = EdgeKey("mariadb", "mariadbd:3306", "mysql", "tcp")
MYSQL_UNIX = EdgeKey("mariadb", "mariadbd:3306", "mysql", "unix")
DNS_UDP = EdgeKey("dig", "dnsmasq:53", "dns", "udp")
DNS_TCP = EdgeKey("dig", "dnsmasq:53", "dns", "tcp")

# Codes that are no errors.
GOOD = frozenset({"", "NOERROR", *(str(code) for code in range(100, 400))})


@dataclass(frozen=True)
class Run:
    name: str
    edge: EdgeKey
    command: str
    """For sh, inside the namespace; a non-zero status fails the test."""
    codes: dict[str, int]
    """Status code -> requests."""

    @property
    def requests(self) -> int:
        return sum(self.codes.values())


def _curl(name: str, arguments: str, codes: dict[str, int]) -> Run:
    return Run(name, HTTP, f"curl --disable --silent --show-error --max-time 20 {arguments}", codes)


def curl_runs(directory: Path) -> list[Run]:
    site = "http://127.0.0.1"
    body = directory / "upload"
    body.write_bytes(b"kindling" * 40_000)
    tag = directory / "etag"
    many = "-o /dev/null " * 40
    return [
        _curl("curl-one", f"-o /dev/null {site}/", {"200": 1}),
        _curl("curl-keep-alive", "-o /dev/null -o /dev/null -o /dev/null -o /dev/null "
              f"{site}/ {site}/static/photo.jpg {site}/static/nothere {site}/static/logo.svg",
              {"200": 3, "404": 1}),
        _curl("curl-many", f"{many}'{site}/static/logo.svg?n=[1-40]'", {"200": 40}),
        _curl("curl-head", f"--head -o /dev/null -o /dev/null {site}/static/photo.jpg {site}/static/nothere",
              {"200": 1, "404": 1}),
        _curl("curl-post", f"--data 'user=7&item=lamp' -o /dev/null {site}/", {"200": 1}),
        _curl("curl-upload", f"--data-binary @{body} -o /dev/null -o /dev/null {site}/ {site}/",
              {"200": 2}),
        _curl("curl-chunked", "--header 'Transfer-Encoding: chunked' --header 'Expect:' "
              f"--data-binary @{body} -o /dev/null {site}/", {"200": 1}),
        _curl("curl-not-allowed", f"--data x -o /dev/null {site}/static/logo.svg", {"405": 1}),
        _curl("curl-1.0", f"--http1.0 -o /dev/null {site}/", {"200": 1}),
        _curl("curl-range", f"--range 0-99 -o /dev/null {site}/static/photo.jpg", {"206": 1}),
        _curl("curl-etag", f"--etag-save {tag} -o /dev/null {site}/static/logo.svg", {"200": 1}),
        _curl("curl-not-modified", f"--etag-compare {tag} -o /dev/null {site}/static/logo.svg",
              {"304": 1}),
    ]


def pipe_of(commands: int) -> bytes:
    """SET commands for `redis-cli --pipe`, 37 bytes each, which it sends in calls of 16 KiB."""
    return b"".join(b"*3\r\n$3\r\nSET\r\n$8\r\npipe:%03d\r\n$5\r\nvalue\r\n" % i
                    for i in range(commands))


def redis_runs(directory: Path) -> list[Run]:
    def tcp(name: str, command: str, codes: dict[str, int]) -> Run:
        return Run(name, REDIS_TCP, command, codes)

    socket = servers.redis_socket(directory)
    pipe = directory / "pipe"
    pipe.write_bytes(pipe_of(80))
    return [
        tcp("redis-set", "redis-cli set kindling 1", {"": 1}),
        tcp("redis-get", "redis-cli get kindling", {"": 1}),
        tcp("redis-repeat", "redis-cli -r 25 incr visits", {"": 25}),
        # A redis-cli that reads commands asks for COMMAND DOCS first.
        tcp("redis-script", "printf 'lpush list a\\nget nothere\\nmulti\\nset a 1\\nexec\\n' | redis-cli",
            {"": 6}),
        tcp("redis-wrong-type", "redis-cli get list", {"WRONGTYPE": 1}),
        tcp("redis-unknown", "redis-cli nosuchcommand", {"ERR": 1}),
        # The last one is the ECHO by which redis-cli knows that all replies have come.
        tcp("redis-pipe", f"redis-cli --pipe < {pipe}", {"": 81}),
        Run("redis-unix", REDIS_UNIX, f"redis-cli -s {socket} -r 7 get kindling", {"": 7}),
        Run("redis-unix-error", REDIS_UNIX, f"redis-cli -s {socket} incr list", {"WRONGTYPE": 1}),
    ]


_SQL = """\
SELECT name FROM products WHERE id = 7;
INSERT INTO orders (user, total_cents) VALUES ('client', 4200);
SELECT * FROM nothere;
PREPARE found FROM 'SELECT name FROM products WHERE id = ?';
SET @id = 3;
EXECUTE found USING @id;
EXECUTE found USING @id;
DEALLOCATE PREPARE found;
CALL report('client');
delimiter //
SELECT 1; SELECT seq FROM seq_1_to_500; SELECT 3//
"""
# --force goes on after the error and yet ends with status 1.
_MARIADB = "mariadb --no-defaults --user=shop --password=shop-demo --batch"


def mysql_runs(directory: Path) -> list[Run]:
    script = directory / "script.sql"
    script.write_text(_SQL)
    runs = []
    for edge, way in ((MYSQL_TCP, "--protocol=tcp --host=127.0.0.1"),
                      (MYSQL_UNIX, f"--socket={servers.mariadb_socket(directory)}")):
        client = f"{_MARIADB} {way} demo"
        runs += [
            Run(f"mariadb-one-{edge.transport}", edge, f"{client} -e 'SELECT 1'", {"": 1}),
            Run(f"mariadb-script-{edge.transport}", edge, f"{client} --force < {script} || test $? = 1",
                {"": 9, "1146": 1}),
            Run(f"mariadb-syntax-{edge.transport}", edge, f"{client} -e 'SELEKT 1' || test $? = 1",
                {"1064": 1}),
        ]
    return runs


def dig_runs() -> list[Run]:
    runs = []
    for edge, way in ((DNS_UDP, "+notcp"), (DNS_TCP, "+tcp")):
        dig = f"dig +tries=1 +timeout=10 {way} @127.0.0.1"
        runs += [
            Run(f"dig-{edge.transport}-a", edge, f"{dig} payment.demo.test A", {"NOERROR": 1}),
            Run(f"dig-{edge.transport}-aaaa", edge, f"{dig} payment.demo.test AAAA", {"NOERROR": 1}),
            Run(f"dig-{edge.transport}-srv", edge, f"{dig} _pick._tcp.demo.test SRV", {"NOERROR": 1}),
            Run(f"dig-{edge.transport}-nxdomain", edge, f"{dig} nothere.demo.test A", {"NXDOMAIN": 1}),
            Run(f"dig-{edge.transport}-refused", edge, f"{dig} elsewhere.test A", {"REFUSED": 1}),
            Run(f"dig-{edge.transport}-several", edge,
                f"{dig} +keepopen stock.demo.test A warehouse.demo.test A nothere.demo.test AAAA",
                {"NOERROR": 2, "NXDOMAIN": 1}),
        ]
    return runs


def codes_by_edge(runs: list[Run]) -> dict[EdgeKey, dict[str, int]]:
    codes: dict[EdgeKey, Counter[str]] = {}
    for run in runs:
        codes.setdefault(run.edge, Counter()).update(run.codes)
    return {edge: dict(counts) for edge, counts in codes.items()}


def access_log_codes(lines: list[str]) -> dict[str, int]:
    return dict(Counter(str(json.loads(line)["status"]) for line in lines))
