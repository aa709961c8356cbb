"""Debian's real servers, each with a configuration of its own below the demo's directory.

Each start_* returns once the server accepts connections, except nginx, whose warm-up requests wait for it.
"""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

import pymysql
import redis

from procs import Child, Supervisor, existing_user

_NGINX = """\
daemon off;
user {user};
worker_processes 1;
pid {dir}/nginx.pid;
error_log stderr warn;
events {{ worker_connections 512; }}
http {{
  log_format demo escape=json '{{"status":$status,"method":"$request_method",'
                              '"uri":"$uri","upstream":"$upstream_addr"}}';
  access_log {dir}/access.log demo;
  client_body_temp_path {dir}/body;
  proxy_temp_path {dir}/proxy;
  fastcgi_temp_path {dir}/fastcgi;
  uwsgi_temp_path {dir}/uwsgi;
  scgi_temp_path {dir}/scgi;
  sendfile on;
  tcp_nopush on;
  keepalive_requests 1000;
  upstream shop {{
    server {shop_address}:8080 max_fails=0;
    keepalive 16;
    keepalive_requests 300;
  }}
  server {{
    listen 80;
    location = / {{ return 200 "welcome\\n"; }}
    location /static/ {{ root {dir}; }}
    location / {{
      proxy_pass http://shop;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_next_upstream off;
    }}
  }}
}}
"""

_DNSMASQ = """\
no-resolv
no-hosts
keep-in-foreground
user={user}
port=53
listen-address=127.0.0.1
bind-interfaces
pid-file
log-queries
log-facility={dir}/queries.log
local=/demo.test/
host-record=payment.demo.test,10.77.0.20,fd00:77::20
host-record=stock.demo.test,10.77.0.21
cname=warehouse.demo.test,stock.demo.test
srv-host=_pick._tcp.demo.test,stock.demo.test,7070,10,50
"""

_SCHEMA = (
    "CREATE DATABASE demo",
    "USE demo",
    "CREATE TABLE demo.products (id INT PRIMARY KEY, name VARCHAR(40), price_cents INT)",
    "INSERT INTO demo.products SELECT seq, CONCAT(ELT(seq % 5 + 1, 'lamp', 'chair', 'table', 'mug',"
    " 'rug'), ' ', seq), seq * 100 FROM seq_1_to_200",
    "CREATE TABLE demo.orders (id INT PRIMARY KEY AUTO_INCREMENT, user VARCHAR(32),"
    " total_cents INT, KEY (user))",
    "CREATE TABLE demo.stock (id INT PRIMARY KEY, held INT)",
    "INSERT INTO demo.stock SELECT seq, 0 FROM seq_1_to_8",
    "CREATE PROCEDURE demo.report(IN who VARCHAR(32)) BEGIN"
    " SELECT id, total_cents FROM demo.orders WHERE user = who LIMIT 20;"
    " SELECT COUNT(*) FROM demo.orders WHERE user = who; END",
    "CREATE USER shop@'127.0.0.1' IDENTIFIED BY 'shop-demo'",
    "CREATE USER shop@localhost IDENTIFIED BY 'shop-demo'",
    "GRANT ALL ON demo.* TO shop@'127.0.0.1'",
    "GRANT ALL ON demo.* TO shop@localhost",
)


@dataclass(frozen=True)
class Place:
    """Where a server runs and keeps its files."""

    supervisor: Supervisor
    namespace: str
    directory: Path

    def own(self, name: str, user: str) -> Path:
        directory = self.directory / name
        directory.mkdir(exist_ok=True)
        shutil.chown(directory, user)
        return directory


def start_nginx(place: Place, shop_address: str) -> Child:
    user = existing_user("www-data", "nobody")
    directory = place.own("nginx", user)
    static = directory / "static"
    static.mkdir()
    (static / "logo.svg").write_text("<svg xmlns='http://www.w3.org/2000/svg'/>\n" * 40)
    (static / "photo.jpg").write_bytes(os.urandom(1 << 10) * 200)
    config = directory / "nginx.conf"
    config.write_text(_NGINX.format(user=user, dir=directory, shop_address=shop_address))
    return place.supervisor.spawn("nginx", ["nginx", "-e", "stderr", "-p", str(directory), "-c",
                                            str(config)], namespace=place.namespace)


def start_redis(place: Place) -> Child:
    user = existing_user("redis", "nobody")
    directory = place.own("redis", user)
    child = place.supervisor.spawn(
        "redis-server",
        ["redis-server", "--bind", "127.0.0.1", "--port", "6379", "--save", "", "--appendonly",
         "no", "--dir", str(directory), "--daemonize", "no",
         "--unixsocket", str(redis_socket(place.directory)), "--unixsocketperm", "700"],
        namespace=place.namespace, user=user)
    place.supervisor.wait_until(child, redis_socket(place.directory).exists, "its unix socket")
    return child


def redis_socket(directory: Path) -> Path:
    """For the demo's own look at the counters, from outside the test host."""
    return directory / "redis" / "admin.sock"


def start_dnsmasq(place: Place) -> Child:
    user = existing_user("dnsmasq", "nobody")
    directory = place.own("dnsmasq", user)
    config = directory / "dnsmasq.conf"
    config.write_text(_DNSMASQ.format(user=user, dir=directory))
    log = directory / "queries.log"
    child = place.supervisor.spawn("dnsmasq", ["dnsmasq", "-C", str(config)],
                                   namespace=place.namespace)
    place.supervisor.wait_until(
        child, lambda: log.exists() and "started" in log.read_text(), "its first log line")
    return child


def mariadb_socket(directory: Path) -> Path:
    return directory / "mariadb" / "mariadb.sock"


def mariadb_pings(directory: Path) -> int:
    """COM_PING packets so far: they are in no log."""
    connection = pymysql.connect(unix_socket=str(mariadb_socket(directory)), user="root")
    try:
        with connection.cursor() as cursor:
            cursor.execute("SHOW GLOBAL STATUS LIKE 'Com_admin_commands'")
            return int(cursor.fetchone()[1])
    finally:
        connection.close()


def redis_commandstats(directory: Path) -> str:
    """The raw text of INFO commandstats."""
    with redis.Redis(unix_socket_path=str(redis_socket(directory))) as admin:
        admin.set_response_callback("INFO", lambda reply: reply.decode("ascii"))
        return str(admin.execute_command("INFO", "commandstats"))


def start_mariadb(place: Place) -> Child:
    user = existing_user("mysql", "nobody")
    directory = place.own("mariadb", user)
    small = ["--innodb-log-file-size=4M", "--innodb-buffer-pool-size=8M"]
    place.supervisor.run(
        "mariadb-install-db",
        ["mariadb-install-db", "--no-defaults", f"--datadir={directory}/data", f"--user={user}",
         "--auth-root-authentication-method=normal", "--skip-test-db", "--skip-name-resolve",
         *small])
    socket = mariadb_socket(place.directory)
    child = place.supervisor.spawn(
        "mariadbd",
        ["mariadbd", "--no-defaults", f"--datadir={directory}/data", f"--user={user}",
         f"--socket={socket}", f"--pid-file={directory}/pid", f"--tmpdir={directory}",
         "--port=3306", "--bind-address=127.0.0.1", "--skip-name-resolve", "--skip-log-bin",
         "--performance-schema=off", "--innodb-flush-log-at-trx-commit=0",
         "--innodb-use-native-aio=0", "--key-buffer-size=1M", "--aria-pagecache-buffer-size=1M",
         "--max-connections=64", "--general-log=1",
         f"--general-log-file={directory}/general.log", *small],
        namespace=place.namespace)
    place.supervisor.wait_until(child, socket.exists, "its unix socket")
    connection = pymysql.connect(unix_socket=str(socket), user="root", connect_timeout=10)
    try:
        with connection.cursor() as cursor:
            for statement in _SCHEMA:
                cursor.execute(statement)
    finally:
        connection.close()
    return child

