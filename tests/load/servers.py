"""The servers that the benches load: Debian's nginx and redis-server on loopback, pinned to one processor."""

from __future__ import annotations

import re
import socket
import subprocess
import time
import urllib.request
from pathlib import Path

SERVER_CPU = "0"
LOAD_CPU = "1"

NGINX_CONF = """\
daemon off;
master_process on;
worker_processes 1;
worker_rlimit_nofile 20000;
error_log {root}/error.log warn;
pid {root}/nginx.pid;
events {{ worker_connections 16000; }}
http {{
  access_log off;
  sendfile on;
  keepalive_requests 1000000000;
  client_body_temp_path {root}/body;
  proxy_temp_path {root}/proxy;
  fastcgi_temp_path {root}/fastcgi;
  uwsgi_temp_path {root}/uwsgi;
  scgi_temp_path {root}/scgi;
  server {{
    listen 127.0.0.1:{port} backlog=4096;
    root {root}/www;
    location = /return {{ return 200 "ok\\n"; }}
    location = /status {{ stub_status; }}
  }}
}}
"""


def pinned(cpu: str | None, *command: str) -> list[str]:
    """The command on one processor, or on any; it ends when the bench does, however that ends."""
    pin = ["taskset", "-c", cpu] if cpu is not None else []
    return ["setpriv", "--pdeathsig", "TERM", *pin, *command]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for_port(port: int, process: subprocess.Popen) -> None:
    for _ in range(200):
        if process.poll() is not None:
            raise SystemExit(f"{process.args[0]} ended with {process.returncode}")
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise SystemExit(f"nothing listens on port {port} after 10 s")


class Server:
    """A running server; `pid` is what a scope names."""

    name: str
    port: int

    def __init__(self, command: list[str], log: Path) -> None:
        self._log = log.open("wb")
        self._process = subprocess.Popen(
            pinned(SERVER_CPU, *command), stdin=subprocess.DEVNULL, stdout=self._log, stderr=self._log
        )
        wait_for_port(self.port, self._process)
        self.pid = self._process.pid

    def requests(self) -> int:
        """Requests served so far by the server's own count. Asking is one more request: between two
        questions the server counts one of them and a watcher sees both."""
        raise NotImplementedError

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(timeout=20)
        self._log.close()


class Nginx(Server):
    def __init__(self, root: Path) -> None:
        (root / "www").mkdir(parents=True)
        (root / "www" / "file").write_bytes(b"x" * 1024)
        root.chmod(0o755)
        self.port = free_port()
        self.name = f"nginx:{self.port}"
        conf = root / "nginx.conf"
        conf.write_text(NGINX_CONF.format(root=root, port=self.port))
        super().__init__(["nginx", "-c", str(conf)], root / "log")

    def requests(self) -> int:
        text = urllib.request.urlopen(f"http://127.0.0.1:{self.port}/status", timeout=5).read().decode()
        return int(re.search(r"\n\s*\d+ \d+ (\d+)", text).group(1))


class Redis(Server):
    def __init__(self, root: Path) -> None:
        root.mkdir(parents=True)
        self.port = free_port()
        self.name = f"redis-server:{self.port}"
        super().__init__(
            ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no",
             "--maxclients", "15000", "--dir", str(root)],
            root / "log",
        )
        self._cli("set", "key:__rand_int__", "x" * 64)
        self._cli("set", "paced", "x" * 64)

    def _cli(self, *words: str) -> str:
        return subprocess.run(
            ["redis-cli", "-p", str(self.port), *words], check=True, capture_output=True, text=True
        ).stdout

    def requests(self) -> int:
        return int(re.search(r"total_commands_processed:(\d+)", self._cli("info", "stats")).group(1))
