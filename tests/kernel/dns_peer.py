"""A DNS server of one kind of behaviour: dns_peer.py ADDRESS PORT BEHAVIOUR. Prints "ready" once it is bound, then the
number of queries that it has read, each time.

servfail: answers so. late: answers after LATE_S. mute: reads and does not answer. dead: never reads.
"""

import ctypes
import socket
import struct
import sys
import time

LATE_S = 6
_SERVFAIL, _NO_ERROR = 2, 0
_TICK_US = 100_000


class Server:
    """Reads as a server in C does: where the kernel writes the sender's address, it stays until the next call."""

    def __init__(self, address: str, port: int) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO,
                                struct.pack("ll", 0, _TICK_US))
        self._socket.bind((address, port))
        self._libc = ctypes.CDLL(None)
        self._bytes = ctypes.create_string_buffer(4096)
        self._sender = ctypes.create_string_buffer(16)  # struct sockaddr_in
        self._size = ctypes.c_uint32()

    def read(self) -> tuple[bytes, tuple[str, int]] | None:
        """None: nothing came for a while."""
        self._size.value = len(self._sender)
        got = self._libc.recvfrom(self._socket.fileno(), self._bytes, len(self._bytes), 0,
                                  self._sender, ctypes.byref(self._size))
        if got < 0:
            return None
        (port,) = struct.unpack_from("!H", self._sender.raw, 2)
        return self._bytes.raw[:got], (socket.inet_ntoa(self._sender.raw[4:8]), port)

    def send(self, answer: bytes, client: tuple[str, int]) -> None:
        self._socket.sendto(answer, client)


def answer_to(query: bytes, code: int) -> bytes:
    """The question again, without any record."""
    question_end = query.index(b"\0", 12) + 5
    flags = (0x8180 | code).to_bytes(2, "big")
    return query[:2] + flags + b"\0\1" + bytes(6) + query[12:question_end]


def main() -> None:
    address, port, behaviour = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    server = Server(address, port)
    print("ready", flush=True)
    if behaviour == "dead":
        time.sleep(3600)
    queries = 0
    waiting: list[tuple[float, bytes, tuple[str, int]]] = []
    while True:
        if read := server.read():
            query, client = read
            queries += 1
            print(f"queries {queries}", flush=True)
            due = time.monotonic() + (LATE_S if behaviour == "late" else 0)
            if behaviour != "mute":
                code = _SERVFAIL if behaviour == "servfail" else _NO_ERROR
                waiting.append((due, answer_to(query, code), client))
        while waiting and waiting[0][0] <= time.monotonic():
            server.send(*waiting.pop(0)[1:])


if __name__ == "__main__":
    main()
