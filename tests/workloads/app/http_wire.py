"""A small HTTP/1.1 client that decides what goes into which system call.

Not thread safe: one connection belongs to one thread.
"""

import socket
from dataclasses import dataclass


class HttpError(Exception):
    """The peer closed early or did not speak HTTP/1.1."""


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    endpoint: str
    """The path as a template, for the counts."""
    body: bytes = b""
    expect_continue: bool = False

    def head(self, close: bool = False) -> bytes:
        lines = [f"{self.method} {self.path} HTTP/1.1", "Host: shop.demo.test",
                 "User-Agent: loadgen"]
        if self.body:
            lines.append(f"Content-Length: {len(self.body)}")
        if self.expect_continue:
            lines.append("Expect: 100-continue")
        if close:
            lines.append("Connection: close")
        return ("\r\n".join(lines) + "\r\n\r\n").encode("ascii")


class HttpConnection:
    _MAX_HEAD_BYTES = 65536

    def __init__(self, address: tuple[str, int], timeout_s: float) -> None:
        self._sock = socket.create_connection(address, timeout=timeout_s)
        self._sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._buffer = b""

    def close(self) -> None:
        self._sock.close()

    def exchange(self, request: Request, close: bool = False, split: bool = False) -> int:
        """Sends one request and reads the whole response; returns its status."""
        head = request.head(close)
        if request.expect_continue:
            self._sock.sendall(head)
            if (status := self._read_response(request)) != 100:
                return status
            self._sock.sendall(request.body)
        elif split:
            self._sock.sendall(head[:11])
            self._sock.sendall(head[11:] + request.body)
        else:
            self._sock.sendall(head + request.body)
        return self._read_response(request)

    def pipeline(self, requests: list[Request]) -> list[int]:
        """All requests in one write, then all responses in order."""
        self._sock.sendall(b"".join(request.head() + request.body for request in requests))
        return [self._read_response(request) for request in requests]

    def _read_response(self, request: Request) -> int:
        head = self._read_until(b"\r\n\r\n").decode("latin-1").split("\r\n")
        version, _, rest = head[0].partition(" ")
        if version != "HTTP/1.1" or not rest[:3].isdigit():
            raise HttpError(f"not an HTTP/1.1 status line: {head[0][:80]!r}")
        status = int(rest[:3])
        headers = {name.strip().lower(): value.strip()
                   for name, _, value in (line.partition(":") for line in head[1:])}
        if request.method == "HEAD" or status < 200 or status in (204, 304):
            return status
        if headers.get("transfer-encoding", "").lower() == "chunked":
            while size := int(self._read_until(b"\r\n").split(b";")[0], 16):
                self._read_bytes(size + 2)
            self._read_until(b"\r\n")
        else:
            self._read_bytes(int(headers.get("content-length", "0")))
        return status

    def _fill(self) -> None:
        data = self._sock.recv(65536)
        if not data:
            raise HttpError("connection closed in the middle of a response")
        self._buffer += data

    def _read_until(self, mark: bytes) -> bytes:
        while (end := self._buffer.find(mark)) < 0:
            if len(self._buffer) > self._MAX_HEAD_BYTES:
                raise HttpError("line or head too long")
            self._fill()
        found, self._buffer = self._buffer[:end], self._buffer[end + len(mark):]
        return found

    def _read_bytes(self, count: int) -> None:
        while len(self._buffer) < count:
            self._fill()
        self._buffer = self._buffer[count:]
