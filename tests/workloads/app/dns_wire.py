"""Single DNS queries over UDP, for the record types that getaddrinfo does not ask for."""

import secrets
import socket
import struct

TYPES = {"A": 1, "CNAME": 5, "AAAA": 28, "SRV": 33}
_HEADER = struct.Struct("!HHHHHH")
_RECURSION_DESIRED = 0x0100


class DnsError(Exception):
    """The answer did not come, or is not an answer to the query."""


def encode_query(query_id: int, name: str, record_type: str) -> bytes:
    labels = [label.encode("ascii") for label in name.rstrip(".").split(".")]
    if any(not 0 < len(label) < 64 for label in labels):
        raise ValueError(f"not a DNS name: {name!r}")
    question = b"".join(bytes([len(label)]) + label for label in labels) + b"\0"
    header = _HEADER.pack(query_id, _RECURSION_DESIRED, 1, 0, 0, 0)
    return header + question + struct.pack("!HH", TYPES[record_type], 1)


def decode_rcode(query_id: int, answer: bytes) -> tuple[int, int]:
    """Returns (rcode, number of answer records)."""
    if len(answer) < _HEADER.size:
        raise DnsError("answer shorter than a DNS header")
    got_id, flags, _, answers, _, _ = _HEADER.unpack_from(answer)
    if got_id != query_id or not flags & 0x8000:
        raise DnsError("not an answer to this query")
    return flags & 0xF, answers


def query(server: tuple[str, int], name: str, record_type: str,
          timeout_s: float = 5.0) -> tuple[int, int]:
    """Sends one query and never repeats it, so that the count on the wire is one."""
    query_id = secrets.randbelow(65536)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(timeout_s)
        sock.sendto(encode_query(query_id, name, record_type), server)
        answer, _ = sock.recvfrom(4096)
    return decode_rcode(query_id, answer)
