"""The shop: a small HTTP/1.1 service in front of redis, MariaDB and DNS.

Threads: one per HTTP connection; the main thread only waits for signals.
SIGUSR1 writes the counters file; SIGTERM ends the shop, answering what it has begun.
"""

import argparse
import json
import re
import signal
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Callable
from urllib.parse import parse_qs, urlsplit

import pymysql

from backends import MysqlPool, Resolver, make_redis
from counters import Counters
from prepared import PreparedStatement

Reply = tuple[int, Any]


class Shop:
    """What the shop does, apart from HTTP."""

    def __init__(self, counters: Counters, mysql_socket: str) -> None:
        self.redis = make_redis(counters, "127.0.0.1", 6379)
        self.products_db = MysqlPool(counters, "mysql/unix", 3, unix_socket=mysql_socket)
        self.orders_db = MysqlPool(counters, "mysql/tcp", 3, host="127.0.0.1", port=3306)
        self.resolver = Resolver(counters, ("127.0.0.1", 53))

    def product(self, product_id: int) -> Reply:
        key = f"product:{product_id}"
        cached = self.redis.get(key)
        if cached is not None:
            return 200, json.loads(cached)
        with self.products_db.borrow() as db, db.cursor() as cursor:
            cursor.execute("SELECT id, name, price_cents FROM products WHERE id = %s", (product_id,))
            row = cursor.fetchone()
        if row is None:
            return 404, {"error": "no such product"}
        product = {"id": row[0], "name": row[1], "price_cents": row[2]}
        self.redis.set(key, json.dumps(product), px=500)
        return 200, product

    def search(self, term: str) -> Reply:
        """A prepared statement, in the binary protocol."""
        with self.products_db.borrow() as db:
            statement = PreparedStatement(db, "SELECT id, name FROM products WHERE name LIKE ?")
            found = statement.execute([f"%{term[:40]}%"])
            statement.close()
        return 200, {"found": found, "padding": "." * (found * 40)}

    def cart(self, user: str) -> Reply:
        pipeline = self.redis.pipeline(transaction=False)
        pipeline.hgetall(f"cart:{user}")
        pipeline.ttl(f"cart:{user}")
        pipeline.incr(f"views:{user}")
        items, _, views = pipeline.execute()
        return 200, {"items": len(items), "views": views}

    def add_to_cart(self, user: str, body: bytes) -> Reply:
        pipeline = self.redis.pipeline(transaction=True)
        pipeline.hincrby(f"cart:{user}", body.decode("utf-8", "replace")[:20] or "1", 1)
        pipeline.expire(f"cart:{user}", 60)
        pipeline.execute()
        return 201, {"user": user}

    def checkout(self, user: str) -> Reply:
        addresses = self.resolver.lookup("payment.demo.test", both_families=True)
        with self.orders_db.borrow() as db, db.cursor() as cursor:
            db.begin()
            cursor.execute("INSERT INTO orders (user, total_cents) VALUES (%s, %s)", (user, 4200))
            order = cursor.lastrowid
            cursor.execute("UPDATE stock SET held = held + 1 WHERE id = %s", (order % 8 + 1,))
            db.commit()
        self.redis.delete(f"cart:{user}")
        return 200, {"order": order, "payment": addresses}

    def report(self, user: str) -> Reply:
        """A stored procedure that gives two result sets."""
        with self.orders_db.borrow() as db, db.cursor() as cursor:
            db.select_db("demo")
            cursor.callproc("report", (user,))
            orders = cursor.fetchall()
            cursor.nextset()
            return 200, {"orders": len(orders), "all": cursor.fetchall()}

    def slow(self) -> Reply:
        with self.orders_db.borrow() as db, db.cursor() as cursor:
            cursor.execute("SELECT SLEEP(0.2)")
        return 200, {"slow": True}

    def fail(self) -> Reply:
        """Errors of both databases, on purpose."""
        try:
            self.redis.incr("text")
        except Exception:  # the reply is an error: the key holds a text
            pass
        with self.orders_db.borrow() as db, db.cursor() as cursor:
            cursor.execute("SELECT nothing FROM no_such_table")
        return 200, {}

    def where(self) -> Reply:
        return 200, {
            "warehouse": self.resolver.lookup("warehouse.demo.test"),
            "service": self.resolver.query("_pick._tcp.demo.test", "SRV"),
            "v6": self.resolver.query("payment.demo.test", "AAAA"),
            "unknown": self.resolver.lookup("nowhere.demo.test"),
            "outside": self.resolver.query("outside.example", "A"),
        }

    def health(self) -> Reply:
        self.redis.ping()
        with self.orders_db.borrow() as db:
            db.ping(reconnect=False)
        return 200, {"ok": True}


def make_handler(shop: Shop, counters: Counters) -> type[BaseHTTPRequestHandler]:
    """The table of routes, bound to one shop."""
    routes: list[tuple[str, re.Pattern[str], Callable[..., Reply]]] = [
        ("GET", re.compile(r"/products/(\d{1,9})"), lambda q, b, n: shop.product(int(n))),
        ("GET", re.compile(r"/search"), lambda q, b: shop.search(q.get("q", [""])[0])),
        ("GET", re.compile(r"/cart/(\w{1,32})"), lambda q, b, user: shop.cart(user)),
        ("POST", re.compile(r"/cart/(\w{1,32})"), lambda q, b, user: shop.add_to_cart(user, b)),
        ("POST", re.compile(r"/checkout/(\w{1,32})"), lambda q, b, user: shop.checkout(user)),
        ("GET", re.compile(r"/report/(\w{1,32})"), lambda q, b, user: shop.report(user)),
        ("GET", re.compile(r"/slow"), lambda q, b: shop.slow()),
        ("GET", re.compile(r"/fail"), lambda q, b: shop.fail()),
        ("GET", re.compile(r"/where"), lambda q, b: shop.where()),
        ("GET", re.compile(r"/health"), lambda q, b: shop.health()),
        ("HEAD", re.compile(r"/health"), lambda q, b: shop.health()),
    ]

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True  # head and body are two writes

        def _serve(self) -> None:
            counters.add("http")
            url = urlsplit(self.path)
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            status, reply = 404, {"error": "no such page"}
            for method, pattern, action in routes:
                match = pattern.fullmatch(url.path)
                if match and method == self.command:
                    try:
                        status, reply = action(parse_qs(url.query), body, *match.groups())
                    except pymysql.Error as error:
                        status, reply = 500, {"error": str(error)}
                    break
            counters.add(f"http/{status}")
            self._answer(status, json.dumps(reply).encode(), chunked=url.path == "/search")

        def _answer(self, status: int, body: bytes, chunked: bool) -> None:
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            if chunked:
                self.send_header("Transfer-Encoding", "chunked")
                pieces = [body[i:i + 500] for i in range(0, len(body), 500)] + [b""]
                body = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces)
            else:
                self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        do_GET = do_HEAD = do_POST = _serve

        def log_message(self, format: str, *args: Any) -> None:
            pass

    return Handler


class ShopServer(ThreadingHTTPServer):
    request_queue_size = 128
    daemon_threads = True


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=8080)
    parser.add_argument("--mysql-socket", required=True)
    parser.add_argument("--counters", type=Path, required=True)
    args = parser.parse_args()

    counters = Counters(args.counters)
    shop = Shop(counters, args.mysql_socket)
    shop.redis.set("text", "not a number")
    server = ShopServer(("0.0.0.0", args.port), make_handler(shop, counters))

    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1, signal.SIGTERM, signal.SIGINT})
    threading.Thread(target=server.serve_forever, daemon=True).start()
    counters.write()
    print("ready: shop", file=sys.stderr, flush=True)
    while signal.sigwait({signal.SIGUSR1, signal.SIGTERM, signal.SIGINT}) == signal.SIGUSR1:
        counters.write()
    server.shutdown()
    counters.write()
    return 0


if __name__ == "__main__":
    sys.exit(main())
