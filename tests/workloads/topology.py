"""Test hosts: two network namespaces joined by a veth pair, or one, with resolver files of their own.

Names begin with the demo's own name, so that several demos live side by side; addresses exist only inside.
Removal is the registry's (registry.py), which knows a namespace before it is made.
"""

import subprocess
from dataclasses import dataclass
from pathlib import Path

import registry

_RESOLVER_FILES = {
    "resolv.conf": "nameserver 127.0.0.1\noptions timeout:5 attempts:1\n",
    "nsswitch.conf": "passwd: files\ngroup: files\nhosts: files dns\n",
    "hosts": "127.0.0.1 localhost\n",
}


class TopologyError(Exception):
    """A namespace or link could not be made."""


@dataclass(frozen=True)
class Host:
    namespace: str
    address: str

    @property
    def namespace_path(self) -> str:
        return f"/run/netns/{self.namespace}"


def _ip(*words: str) -> None:
    done = subprocess.run(["ip", *words], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise TopologyError(f"ip {' '.join(words)}: {done.stderr.strip()}")


def _make(entry: registry.Entry, *hosts: Host) -> None:
    entry.namespaces = [host.namespace for host in hosts]
    entry.save()
    for host in hosts:
        directory = Path("/etc/netns") / host.namespace
        directory.mkdir(parents=True)
        for name, text in _RESOLVER_FILES.items():
            (directory / name).write_text(text, encoding="utf-8")
        _ip("netns", "add", host.namespace)


def create_one(entry: registry.Entry) -> Host:
    """A host on its own, with nothing but loopback."""
    host = Host(f"{entry.name}-a", "127.0.0.1")
    _make(entry, host)
    _ip("-n", host.namespace, "link", "set", "lo", "up")
    return host


def create(entry: registry.Entry) -> tuple[Host, Host]:
    a, b = hosts = (Host(f"{entry.name}-a", "10.77.0.1"), Host(f"{entry.name}-b", "10.77.0.2"))
    _make(entry, *hosts)
    # Both ends are made inside: no interface ever shows on the machine itself.
    _ip("link", "add", "eth0", "netns", a.namespace, "type", "veth",
        "peer", "name", "eth0", "netns", b.namespace)
    for host in hosts:
        _ip("-n", host.namespace, "addr", "add", f"{host.address}/24", "dev", "eth0")
        for link in ("lo", "eth0"):
            _ip("-n", host.namespace, "link", "set", link, "up")
    return a, b


def create_routed(entry: registry.Entry) -> tuple[Host, Host, Host]:
    """Two hosts with a router between them, which forwards IPv4: client, router, server. The router's devices are named
    after who is behind them; its address is the one that the client knows it by."""
    client, router, server = hosts = (Host(f"{entry.name}-c", "10.77.0.2"),
                                      Host(f"{entry.name}-r", "10.77.0.1"),
                                      Host(f"{entry.name}-s", "10.78.0.2"))
    _make(entry, *hosts)
    for host, device, gateway in ((client, "to-client", "10.77.0.1"), (server, "to-server", "10.78.0.1")):
        _ip("link", "add", "eth0", "netns", host.namespace, "type", "veth",
            "peer", "name", device, "netns", router.namespace)
        _ip("-n", host.namespace, "addr", "add", f"{host.address}/24", "dev", "eth0")
        _ip("-n", router.namespace, "addr", "add", f"{gateway}/24", "dev", device)
        for namespace, link in ((host.namespace, "lo"), (host.namespace, "eth0"),
                                (router.namespace, device)):
            _ip("-n", namespace, "link", "set", link, "up")
        _ip("-n", host.namespace, "route", "add", "default", "via", gateway)
    _ip("-n", router.namespace, "link", "set", "lo", "up")
    _ip("netns", "exec", router.namespace, "sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward")
    return client, router, server


def add_address(host: Host, address: str) -> None:
    """One more, on its link to the other host."""
    _ip("-n", host.namespace, "addr", "add", f"{address}/24", "dev", "eth0")
