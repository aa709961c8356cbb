"""Sends HTTP, Redis or DNS requests at an even rate over connections of its own, and prints how many at the end.

What the connections say of themselves at first is sent before "ready:" is printed and does not count; the load begins with
SIGUSR1. A request counts when its whole response was read; any that fails ends the load with an exception.
Copied under another name, so that each load is a workload of its own.
"""

import argparse
import json
import os
import random
import signal
import socket
import sys
import threading
import time

_TIMEOUT_S = 20.0


class Connection:
    """One connection that reads whole answers; not thread safe."""

    def __init__(self, address: tuple[str, int]) -> None:
        self._sock = socket.create_connection(address, timeout=_TIMEOUT_S)
        self._sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._buffer = b""

    def close(self) -> None:
        self._sock.close()

    def send(self, data: bytes) -> None:
        self._sock.sendall(data)

    def _fill(self) -> None:
        data = self._sock.recv(65536)
        if not data:
            raise ConnectionError("closed in the middle of a response")
        self._buffer += data

    def _line(self) -> bytes:
        while (end := self._buffer.find(b"\r\n")) < 0:
            self._fill()
        line, self._buffer = self._buffer[:end], self._buffer[end + 2:]
        return line

    def _skip(self, count: int) -> None:
        while len(self._buffer) < count:
            self._fill()
        self._buffer = self._buffer[count:]

    def read_http(self, is_head: bool) -> None:
        length = 0
        if not self._line().startswith(b"HTTP/1.1 "):
            raise ValueError("not HTTP")
        while line := self._line():
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
        if not is_head:
            self._skip(length)

    def read_redis(self) -> None:
        line = self._line()
        if line[:1] == b"-":
            raise ValueError(line.decode())
        if line[:1] == b"$" and (size := int(line[1:])) >= 0:
            self._skip(size + 2)


class DatagramConnection:
    """A connected UDP socket; one query at a time."""

    def __init__(self, address: tuple[str, int]) -> None:
        self._sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._sock.settimeout(_TIMEOUT_S)
        self._sock.connect(address)

    def close(self) -> None:
        self._sock.close()

    def ask(self, query: bytes) -> None:
        self._sock.send(query)
        answer = self._sock.recv(65536)
        if answer[:2] != query[:2] or not answer[2] & 0x80:
            raise ValueError("not the answer")


def _dns_query(rng: random.Random) -> bytes:
    name = rng.choice(("payment", "stock", "warehouse", f"none{rng.randint(1, 20)}")) + ".demo.test"
    labels = b"".join(b"%c%s" % (len(label), label.encode()) for label in name.split("."))
    head = rng.randbytes(2) + b"\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00"
    return head + labels + b"\x00\x00\x01\x00\x01"


def _http_request(rng: random.Random) -> bytes:
    kind = rng.choices(("GET /", "GET /static/logo.svg", "GET /static/none", "HEAD /", "POST /"),
                       (5, 2, 1, 1, 2))[0]
    body = b"x" * rng.randint(1, 300) if kind == "POST /" else b""
    length = f"Content-Length: {len(body)}\r\n" if body else ""
    agent = "a" * rng.randint(1, 60)
    return f"{kind} HTTP/1.1\r\nHost: loss.test\r\nUser-Agent: {agent}\r\n{length}\r\n".encode() + body


def _redis_command(rng: random.Random) -> bytes:
    key = f"key:{rng.randint(1, 50)}".encode()
    words = rng.choice(([b"GET", key], [b"SET", key, b"v" * rng.randint(1, 120)],
                        [b"INCR", b"counter"], [b"EXISTS", key]))
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(w), w) for w in words)


class Worker(threading.Thread):
    """Every `interval_s` one step: one request, or several at once."""

    def __init__(self, args: argparse.Namespace, number: int, begin: threading.Event) -> None:
        super().__init__()
        self._address = (args.host, args.port)
        self._mode = args.mode
        self._interval_s = args.workers / args.rate
        self._offset_s = number / args.rate
        self._end_s = args.for_seconds
        self._rng = random.Random(args.seed * 100 + number)
        self._begin = begin
        self._steps_left = 0
        self.sent = 0
        self.error: Exception | None = None
        self._open()
        self._step(1)
        self.sent = 0

    def _open(self) -> None:
        self._connection = (DatagramConnection if self._mode == "dns" else Connection)(self._address)
        self._steps_left = self._rng.randint(150, 500)

    def run(self) -> None:
        self._begin.wait()
        start = time.monotonic() + self._offset_s
        due = 0.0
        try:
            while due < self._end_s:
                time.sleep(max(0.0, start + due - time.monotonic()))
                self._step(self._size())
                due += self._interval_s
        except (OSError, ValueError) as error:
            self.error = error
        self._connection.close()

    def _size(self) -> int:
        if self._mode == "http":
            return self._rng.randint(2, 8) if self._rng.random() < 0.1 else 1
        return self._rng.randint(1, 16) if self._mode == "redis-pipelined" else 1

    def _step(self, size: int) -> None:
        if self._steps_left <= 0:
            self._connection.close()
            self._open()
        self._steps_left -= 1
        if self._mode == "dns":
            self._connection.ask(_dns_query(self._rng))
            self.sent += 1
            return
        make = _http_request if self._mode == "http" else _redis_command
        requests = [make(self._rng) for _ in range(size)]
        self._connection.send(b"".join(requests))
        for request in requests:
            if self._mode == "http":
                self._connection.read_http(request.startswith(b"HEAD "))
            else:
                self._connection.read_redis()
            self.sent += 1


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mode", required=True, choices=("dns", "http", "redis", "redis-pipelined"))
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--rate", type=float, required=True, help="steps a second")
    parser.add_argument("--for-seconds", type=float, required=True)
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    begin = threading.Event()
    signal.signal(signal.SIGUSR1, lambda *_: begin.set())
    workers = [Worker(args, number, begin) for number in range(args.workers)]
    for worker in workers:
        worker.start()
    print(f"ready: {os.getpid()}", file=sys.stderr, flush=True)
    for worker in workers:
        worker.join()
    errors = [f"{worker.error!r}" for worker in workers if worker.error]
    print(json.dumps({"sent": sum(worker.sent for worker in workers), "errors": errors}), flush=True)
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main())
