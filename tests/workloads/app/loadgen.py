"""The load generator: sends a bounded, paced, seeded mixture of HTTP requests and prints what it sent.

On standard output, once, at the end: {"sent", "failed", "connections", "byStatus", "byEndpoint"}; why requests
failed goes to standard error, and the exit status is then 1.
A request counts as sent when its whole response was read, as failed otherwise.

Threads: the workers draw from one seeded sequence, one at a time, and send on connections of their own.
SIGTERM and SIGINT end the load after the requests in flight.
"""

import argparse
import json
import random
import signal
import sys
import threading
import time
from collections import Counter

import scenarios
from http_wire import HttpConnection, HttpError, Request

_TIMEOUT_S = 20.0


class Pacer:
    """Hands out steps at an even rate until time, count or stop() ends it."""

    def __init__(self, rate: float, duration_s: float, count: int, seed: int) -> None:
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._rng = random.Random(seed)
        self._interval_s = 1.0 / rate
        self._next = time.monotonic()
        self._end = self._next + duration_s
        self._left = count

    def stop(self) -> None:
        self._stopped.set()

    def next_step(self) -> tuple[list[Request], random.Random] | None:
        """The requests of one step (several are to be pipelined) and a generator for its details."""
        with self._lock:
            due = max(self._next, time.monotonic() - 1.0)  # catch up by a second at most
            if self._left <= 0 or due >= self._end or self._stopped.is_set():
                return None
            pipelined = self._rng.random() < 0.03
            requests = (scenarios.draw_pipeline(self._rng) if pipelined
                        else [scenarios.draw(self._rng)])[:self._left]
            details = random.Random(self._rng.getrandbits(64))
            self._left -= len(requests)
            self._next = due + self._interval_s * len(requests)
        self._stopped.wait(max(0.0, due - time.monotonic()))
        return requests, details


class Worker(threading.Thread):
    """Keeps one connection for some tens of requests, and now and then uses a fresh one."""

    def __init__(self, address: tuple[str, int], pacer: Pacer) -> None:
        super().__init__(daemon=True)
        self._address = address
        self._pacer = pacer
        self._kept: HttpConnection | None = None
        self._uses_left = 0
        self.counts: Counter[str] = Counter()
        self.statuses: Counter[str] = Counter()
        self.endpoints: Counter[str] = Counter()
        self.errors: list[str] = []

    def run(self) -> None:
        while step := self._pacer.next_step():
            requests, rng = step
            try:
                self._send(requests, rng)
            except (OSError, HttpError, ValueError) as error:
                self.counts["failed"] += 1
                self.errors.append(f"{requests[0].method} {requests[0].path}: {error}")
                self._drop()
        self._drop()

    def _send(self, requests: list[Request], rng: random.Random) -> None:
        if len(requests) > 1:
            statuses = self._connection(rng).pipeline(requests)
        elif rng.random() < 0.05:
            self.counts["connections"] += 1
            fresh = HttpConnection(self._address, _TIMEOUT_S)
            try:
                statuses = [fresh.exchange(requests[0], close=True)]
            finally:
                fresh.close()
        else:
            statuses = [self._connection(rng).exchange(requests[0], split=rng.random() < 0.05)]
        for request, status in zip(requests, statuses, strict=True):
            self.counts["sent"] += 1
            self.statuses[str(status)] += 1
            self.endpoints[f"{request.method} {request.endpoint}"] += 1

    def _connection(self, rng: random.Random) -> HttpConnection:
        if self._kept is None or self._uses_left <= 0:
            self._drop()
            self.counts["connections"] += 1
            self._kept = HttpConnection(self._address, _TIMEOUT_S)
            self._uses_left = rng.randint(20, 120)
        self._uses_left -= 1
        return self._kept

    def _drop(self) -> None:
        if self._kept is not None:
            self._kept.close()
            self._kept = None


def summarise(workers: list[Worker]) -> dict[str, object]:
    def total(counters: list[Counter[str]]) -> Counter[str]:
        return sum(counters, Counter())

    counts = total([worker.counts for worker in workers])
    return {
        "sent": counts["sent"], "failed": counts["failed"], "connections": counts["connections"],
        "byStatus": total([worker.statuses for worker in workers]),
        "byEndpoint": total([worker.endpoints for worker in workers]),
    }


def warm_up(address: tuple[str, int], deadline_s: float) -> int:
    """Waits until the server answers, then sends one request of each kind, on one connection."""
    deadline = time.monotonic() + deadline_s
    while True:
        try:
            connection = HttpConnection(address, _TIMEOUT_S)
            break
        except OSError:
            if time.monotonic() > deadline:
                print(f"no server at {address[0]}:{address[1]}", file=sys.stderr)
                return 1
            time.sleep(0.05)
    for request in scenarios.one_of_each(random.Random(1)):
        status = connection.exchange(request)
        if status >= 500 and request.path != "/fail":
            print(f"{request.method} {request.path}: status {status}", file=sys.stderr)
            return 1
    connection.close()
    return 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--connect", required=True, metavar="ADDRESS:PORT")
    parser.add_argument("--rate", type=float, default=100.0, help="requests a second")
    parser.add_argument("--for-seconds", type=float, default=30.0)
    parser.add_argument("--count", type=int, default=10_000_000, help="at most this many requests")
    parser.add_argument("--workers", type=int, default=8)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--warm-up", action="store_true", help="one request of each kind, then end")
    args = parser.parse_args()
    host, _, port = args.connect.rpartition(":")
    address = (host, int(port))
    if args.warm_up:
        return warm_up(address, 20.0)

    pacer = Pacer(args.rate, args.for_seconds, args.count, args.seed)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: pacer.stop())
    workers = [Worker(address, pacer) for _ in range(args.workers)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    summary = summarise(workers)
    print(json.dumps(summary, sort_keys=True), flush=True)
    for worker in workers:
        for error in worker.errors[:10]:
            print(error, file=sys.stderr)
    return 1 if summary["failed"] else 0


if __name__ == "__main__":
    sys.exit(main())
