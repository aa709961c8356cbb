"""Reads packet files for tests, by what the formats say and nothing else: pcapng as kindlingctl writes it, pcap as tcpdump
does. Whatever is not as it should be is an error.
"""

import struct
from dataclasses import dataclass, field
from pathlib import Path

SECTION, INTERFACE, STATISTICS, PACKET = 0x0A0D0D0A, 1, 5, 6
NAME, DESCRIPTION, FILTER, FLAGS, COMMENT, OS_DROPPED, DELIVERED = 2, 3, 11, 2, 1, 7, 8
INBOUND, OUTBOUND = 1, 2
_PCAP_NANOSECONDS = 0xA1B23C4D
_FIXED = {SECTION: 16, INTERFACE: 8, STATISTICS: 12}


class Malformed(Exception):
    """The file is not what it claims to be."""


@dataclass
class Interface:
    link_type: int
    name: str
    description: str
    filter: str
    statistics: dict[int, int] = field(default_factory=dict)
    comments: list[str] = field(default_factory=list)


@dataclass
class Packet:
    time_ns: int
    data: bytes
    original: int
    interface: Interface | None = None
    direction: int = 0
    comments: list[str] = field(default_factory=list)


@dataclass
class Capture:
    interfaces: list[Interface]
    packets: list[Packet]

    def of(self, host: str, interface: str | None = None) -> list[Packet]:
        return [packet for packet in self.packets if packet.interface is not None
                and packet.interface.description.startswith(f"{host},")
                and interface in (None, packet.interface.name)]


def _options(body: bytes) -> dict[int, list[bytes]]:
    found: dict[int, list[bytes]] = {}
    while body:
        code, size = struct.unpack_from("<HH", body)
        if code == 0:
            if size or len(body) != 4:
                raise Malformed("something behind the end of options")
            return found
        if len(body) < 4 + size:
            raise Malformed("an option that is cut off")
        found.setdefault(code, []).append(body[4:4 + size])
        body = body[4 + (size + 3) // 4 * 4:]
    return found


def _texts(values: list[bytes]) -> list[str]:
    return [value.decode("utf-8") for value in values]


def read_pcapng(file: Path) -> Capture:
    raw = file.read_bytes()
    capture = Capture([], [])
    at = 0
    while at < len(raw):
        if len(raw) - at < 12:
            raise Malformed("a block that is cut off")
        kind, length = struct.unpack_from("<II", raw, at)
        if length % 4 or length < 12 or at + length > len(raw):
            raise Malformed(f"a block of {length} bytes at {at} of {len(raw)}")
        if struct.unpack_from("<I", raw, at + length - 4)[0] != length:
            raise Malformed("the two lengths of a block differ")
        if (kind == SECTION) != (at == 0):
            raise Malformed("the file is one section")
        _block(capture, kind, raw[at + 8:at + length - 4])
        at += length
    return capture


def _block(capture: Capture, kind: int, body: bytes) -> None:
    if kind == SECTION:
        magic, major, minor = struct.unpack_from("<IHH", body)
        if (magic, major, minor) != (0x1A2B3C4D, 1, 0):
            raise Malformed("not a section of pcapng 1.0")
    elif kind == INTERFACE:
        options = _options(body[8:])
        if options.get(9) != [b"\x09"]:
            raise Malformed("times are not in nanoseconds")
        text = options.get(FILTER, [b"\0"])[0]
        if text[:1] != b"\0":
            raise Malformed("the filter is no text")
        capture.interfaces.append(Interface(
            struct.unpack_from("<H", body)[0], *_texts(options[NAME]),
            *_texts(options[DESCRIPTION]), text[1:].decode("utf-8")))
    elif kind == PACKET:
        number, high, low, size, original = struct.unpack_from("<IIIII", body)
        end = 20 + (size + 3) // 4 * 4
        options = _options(body[end:])
        flags = struct.unpack("<I", options[FLAGS][0])[0] if FLAGS in options else 0
        capture.packets.append(Packet(high << 32 | low, body[20:20 + size], original,
                                      capture.interfaces[number], flags & 3,
                                      _texts(options.get(COMMENT, []))))
    elif kind == STATISTICS:
        interface = capture.interfaces[struct.unpack_from("<I", body)[0]]
        options = _options(body[12:])
        for code in (OS_DROPPED, DELIVERED):
            if code in options:
                interface.statistics[code] = struct.unpack("<Q", options[code][0])[0]
        interface.comments += _texts(options.get(COMMENT, []))
    else:
        raise Malformed(f"a block of kind {kind}")


def read_pcap(file: Path) -> list[Packet]:
    raw = file.read_bytes()
    if struct.unpack_from("<I", raw)[0] != _PCAP_NANOSECONDS:
        raise Malformed("not pcap with nanoseconds")
    packets = []
    at = 24
    while at < len(raw):
        seconds, nanoseconds, size, original = struct.unpack_from("<IIII", raw, at)
        packets.append(Packet(seconds * 10**9 + nanoseconds, raw[at + 16:at + 16 + size], original))
        at += 16 + size
    return packets
