"""Counts what really happened, from each server's own log or counters.

One request is one message of the client that the server answers. In MySQL's protocol that is one command packet:
the login is not a command, and COM_QUIT, COM_STMT_CLOSE and COM_STMT_SEND_LONG_DATA are not answered.
COM_PING is answered but not logged; MariaDB counts it in Com_admin_commands.
"""

import json
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

# "221122 10:00:00\t     5 Query\tSELECT 1", the time only where it changed; an argument may go on over several lines.
_GENERAL_LOG = re.compile(
    r"^(?:\d{6} [ \d]\d:\d\d:\d\d)?\t+ *(?P<id>\d+) "
    r"(?P<command>Connect|Query|Prepare|Execute|Close stmt|Quit|Init DB|Reset stmt|"
    r"Statistics|Field List|Change user|Fetch|Long Data|Set option)(?:\t(?P<argument>.*))?$")
_MYSQL_UNANSWERED = frozenset({"Connect", "Quit", "Close stmt", "Long Data"})
_TRANSPORTS = {"TCP/IP": "tcp", "Socket": "unix"}
_COMMANDSTAT = re.compile(r"^cmdstat_(?P<command>[^:]+):(?P<fields>calls=\d+.*)$")
_DNS_QUERY = re.compile(r": (?:\d+ \S+ )?query\[(?P<type>[^\]]+)\] \S+ from ")


class TruthError(Exception):
    """A log or a counter does not look as it should."""


@dataclass(frozen=True)
class AccessCounts:
    requests: int
    forwarded: int
    by_status: dict[str, int]


def count_access_log(lines: Iterable[str]) -> AccessCounts:
    """nginx's log in the demo's own JSON format; "upstream" lists an address for every try."""
    requests = forwarded = 0
    by_status: Counter[str] = Counter()
    for line in lines:
        try:
            record = json.loads(line)
            upstream, status = record["upstream"], record["status"]
        except (ValueError, KeyError, TypeError) as error:
            raise TruthError(f"access log: {line.strip()[:120]!r}: {error}") from error
        requests += 1
        by_status[str(status)] += 1
        if upstream:
            forwarded += len(re.split(r" ?[,:] (?=\d)", upstream))
    return AccessCounts(requests, forwarded, dict(by_status))


def count_general_log(before: Iterable[str], after: Iterable[str], user: str) -> dict[str, int]:
    """Commands of one user in `after`, by transport. `before` tells how older connections came."""
    transports: dict[str, str] = {}
    counts: Counter[str] = Counter()
    for counted, lines in ((False, before), (True, after)):
        for line in lines:
            match = _GENERAL_LOG.match(line.rstrip("\n"))
            if match is None:
                continue  # the rest of a statement of several lines
            connection, command = match["id"], match["command"]
            argument = match["argument"] or ""
            if command == "Connect":
                transports.pop(connection, None)
                if argument.startswith(f"{user}@"):
                    way = argument.rpartition(" using ")[2]
                    if way not in _TRANSPORTS:
                        raise TruthError(f"general log: unknown transport in {argument!r}")
                    transports[connection] = _TRANSPORTS[way]
            elif counted and connection in transports and command not in _MYSQL_UNANSWERED:
                counts[transports[connection]] += 1
    return dict(counts)


def parse_commandstats(text: str) -> dict[str, int]:
    """`INFO commandstats` -> calls by command. A rejected call was a request as well."""
    calls: dict[str, int] = {}
    for line in text.splitlines():
        if match := _COMMANDSTAT.match(line.strip()):
            fields = dict(field.split("=", 1) for field in match["fields"].split(","))
            calls[match["command"]] = int(fields["calls"]) + int(fields.get("rejected_calls", 0))
    return calls


def redis_requests(before: dict[str, int], after: dict[str, int]) -> int:
    """Requests between two looks, without the looks themselves (INFO, which the shop never sends)."""
    return sum(calls - before.get(command, 0) for command, calls in after.items()
               if command != "info")


def count_dns_queries(lines: Iterable[str]) -> dict[str, int]:
    """dnsmasq's query log -> queries by type."""
    counts: Counter[str] = Counter()
    for line in lines:
        if match := _DNS_QUERY.search(line):
            counts[match["type"]] += 1
    return dict(counts)


@dataclass(frozen=True)
class LogMark:
    """A place in a growing log file."""

    file: Path
    offset: int = 0

    @classmethod
    def at_end(cls, file: Path) -> "LogMark":
        return cls(file, file.stat().st_size if file.exists() else 0)

    def lines_before(self) -> list[str]:
        with self.file.open("rb") as log:
            return log.read(self.offset).decode("utf-8", "replace").splitlines()

    def lines_after(self) -> list[str]:
        if not self.file.exists():
            return []
        with self.file.open("rb") as log:
            log.seek(self.offset)
            return log.read().decode("utf-8", "replace").splitlines()
