"""What the shop talks to: redis over TCP, MariaDB over a unix socket and over TCP, dnsmasq over UDP.

Every request put on a wire is counted under "redis", "mysql/unix", "mysql/tcp" or "dns".

Threads: all classes may be used from any thread; a MySQL connection belongs to one thread while borrowed.
"""

import queue
import socket
from contextlib import contextmanager
from typing import Any, Iterator

import pymysql
import redis
from pymysql.constants import COMMAND

import dns_wire
from counters import Counters

# The server sends no response to these: they are no requests.
_UNANSWERED = frozenset({COMMAND.COM_QUIT, COMMAND.COM_STMT_CLOSE, COMMAND.COM_STMT_SEND_LONG_DATA})
_USES_PER_CONNECTION = 150


class CountingConnection(pymysql.connections.Connection):
    """A MySQL connection that counts the command packets that get a response."""

    def __init__(self, counters: Counters, name: str, **options: Any) -> None:
        self._counters = counters
        self._name = name
        super().__init__(**options)

    def _execute_command(self, command: int, sql: Any) -> None:
        if command not in _UNANSWERED:
            self._counters.add(self._name)
        super()._execute_command(command, sql)


class MysqlPool:
    """A bounded pool that opens its connections at once and replaces each after a number of uses,
    so that both old and new connections are seen by whoever watches."""

    def __init__(self, counters: Counters, name: str, size: int, **options: Any) -> None:
        self._counters = counters
        self._name = name
        self._options = options
        self._idle: queue.Queue[tuple[CountingConnection, int]] = queue.Queue()
        for i in range(size):
            self._idle.put((self._open(), i * _USES_PER_CONNECTION // size))

    def _open(self) -> CountingConnection:
        return CountingConnection(self._counters, self._name, database="demo", user="shop",
                                  password="shop-demo", autocommit=True, connect_timeout=5,
                                  read_timeout=10, **self._options)

    @contextmanager
    def borrow(self) -> Iterator[CountingConnection]:
        connection, uses = self._idle.get(timeout=10)
        try:
            if uses >= _USES_PER_CONNECTION:
                if connection.open:
                    connection.close()
                connection, uses = self._open(), 0
            yield connection
        finally:
            self._idle.put((connection, uses + 1))


def make_redis(counters: Counters, host: str, port: int) -> redis.Redis:
    class CountingRedisConnection(redis.Connection):
        def pack_command(self, *args: Any) -> Any:
            counters.add("redis")
            return super().pack_command(*args)

    pool = redis.ConnectionPool(connection_class=CountingRedisConnection, host=host, port=port,
                                socket_timeout=10, socket_connect_timeout=5)
    return redis.Redis(connection_pool=pool)


class Resolver:
    """getaddrinfo through /etc/resolv.conf, and single queries to the same server."""

    def __init__(self, counters: Counters, server: tuple[str, int]) -> None:
        self._counters = counters
        self._server = server

    def lookup(self, name: str, both_families: bool = False) -> list[str]:
        """An absolute name is asked for once per family: no search list, no second server."""
        family = socket.AF_UNSPEC if both_families else socket.AF_INET
        self._counters.add("dns", 2 if both_families else 1)
        try:
            answers = socket.getaddrinfo(name.rstrip(".") + ".", None, family, socket.SOCK_STREAM)
        except socket.gaierror:
            return []
        return sorted({str(answer[4][0]) for answer in answers})

    def query(self, name: str, record_type: str) -> tuple[int, int]:
        self._counters.add("dns")
        return dns_wire.query(self._server, name, record_type)
