"""The edges that the demo must show, as data."""

from dataclasses import dataclass, field


@dataclass(frozen=True, order=True)
class EdgeKey:
    client: str
    server: str
    protocol: str
    transport: str

    def __str__(self) -> str:
        return f"{self.client} -> {self.server} {self.protocol}/{self.transport}"


LOADGEN_NGINX = EdgeKey("loadgen", "nginx:80", "http", "tcp")
NGINX_SHOP = EdgeKey("nginx:80", "shop:8080", "http", "tcp")
SHOP_REDIS = EdgeKey("shop:8080", "redis-server:6379", "redis", "tcp")
SHOP_MYSQL_TCP = EdgeKey("shop:8080", "mariadbd:3306", "mysql", "tcp")
SHOP_MYSQL_UNIX = EdgeKey("shop:8080", "mariadbd:3306", "mysql", "unix")
SHOP_DNS = EdgeKey("shop:8080", "dnsmasq:53", "dns", "udp")

EXPECTED = (LOADGEN_NGINX, NGINX_SHOP, SHOP_REDIS, SHOP_MYSQL_TCP, SHOP_MYSQL_UNIX, SHOP_DNS)


@dataclass(frozen=True)
class EdgeTruth:
    """How many requests really crossed an edge, by each who counted them."""

    key: EdgeKey
    sources: dict[str, int] = field(default_factory=dict)
    """Source name -> count; the server's own comes first."""

    @property
    def count(self) -> int:
        return next(iter(self.sources.values()))

    @property
    def sources_agree(self) -> bool:
        return len(set(self.sources.values())) == 1
