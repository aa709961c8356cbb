import socket
import threading
import unittest

from http_wire import HttpConnection, HttpError, Request

GET = Request("GET", "/a", "/a")


class Scripted:
    """A server that takes one connection, reads and sends as told, and keeps what it read."""

    def __init__(self, *steps: tuple[bytes, list[bytes]]) -> None:
        """Each step: read until the bytes end with this, then send these pieces."""
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address: tuple[str, int] = self._listener.getsockname()
        self.read = b""
        self._steps = steps
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        connection, _ = self._listener.accept()
        with connection, self._listener:
            for end, pieces in self._steps:
                got = b""
                while not got.endswith(end):
                    got += connection.recv(4096)
                self.read += got
                for piece in pieces:
                    connection.sendall(piece)

    def join(self) -> None:
        self._thread.join()


class HttpConnectionTest(unittest.TestCase):
    def connect(self, *steps: tuple[bytes, list[bytes]]) -> tuple[Scripted, HttpConnection]:
        server = Scripted(*steps)
        connection = HttpConnection(server.address, 5)
        self.addCleanup(server.join)
        self.addCleanup(connection.close)
        return server, connection

    def test_responses_split_at_every_byte(self) -> None:
        response = b"HTTP/1.1 404 Not Found\r\nContent-Length: 3\r\n\r\nabc"
        _, connection = self.connect((b"\r\n\r\n", [bytes([byte]) for byte in response]),
                                     (b"\r\n\r\n", [response]))
        self.assertEqual(connection.exchange(GET), 404)
        self.assertEqual(connection.exchange(GET), 404)

    def test_chunked(self) -> None:
        head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        chunks = b"3\r\nabc\r\nA;x=y\r\n\r\n\r\n012345\r\n0\r\n\r\n"
        _, connection = self.connect((b"\r\n\r\n", [head, chunks]), (b"\r\n\r\n", [head + chunks]))
        self.assertEqual(connection.exchange(GET), 200)
        self.assertEqual(connection.exchange(GET), 200)

    def test_pipeline_reads_answers_in_order(self) -> None:
        answers = b"".join(b"HTTP/1.1 %d X\r\nContent-Length: 1\r\n\r\nx" % status
                           for status in (200, 404, 500))
        server, connection = self.connect((b"/c HTTP/1.1\r\nHost: shop.demo.test\r\n"
                                           b"User-Agent: loadgen\r\n\r\n", [answers]))
        statuses = connection.pipeline([Request("GET", path, path) for path in ("/a", "/b", "/c")])
        self.assertEqual(statuses, [200, 404, 500])
        self.assertEqual(server.read.count(b"GET "), 3)

    def test_head_and_continue(self) -> None:
        server, connection = self.connect(
            (b"\r\n\r\n", [b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n"]),
            (b"\r\n\r\n", [b"HTTP/1.1 100 Continue\r\n\r\n"]),
            (b"item", [b"HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n"]))
        self.assertEqual(connection.exchange(Request("HEAD", "/", "/")), 200)
        self.assertEqual(connection.exchange(Request("POST", "/c", "/c", b"item", True)), 201)
        self.assertIn(b"Expect: 100-continue\r\n\r\nitem", server.read)

    def test_what_is_no_response(self) -> None:
        for answer in (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab", b"SSH-2.0-x\r\n\r\n", b""):
            with self.subTest(answer):
                _, connection = self.connect((b"\r\n\r\n", [answer]))
                with self.assertRaises(HttpError):
                    connection.exchange(GET)


if __name__ == "__main__":
    unittest.main()
