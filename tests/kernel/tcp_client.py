"""The clients of tcp_peer.py: tcp_client.py ADDRESS PORT BEHAVIOUR COUNT. Fails where it is not treated as it expects."""

import errno
import socket
import sys
import time

MESSAGE = b"0123456789"


def short(server: tuple[str, int], count: int) -> None:
    for _ in range(count):
        with socket.create_connection(server) as connection:
            connection.sendall(MESSAGE)
            assert connection.recv(64) == MESSAGE


def refused(server: tuple[str, int], count: int) -> None:
    for _ in range(count):
        try:
            socket.create_connection(server).close()
        except ConnectionRefusedError:
            continue
        raise AssertionError("somebody listens there")


def black_hole(server: tuple[str, int], count: int) -> None:
    for _ in range(count):
        with socket.socket() as connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_SYNCNT, 1)
            try:
                connection.connect(server)
            except TimeoutError:
                continue
            raise AssertionError("somebody answers there")


def bulk(server: tuple[str, int], count: int) -> None:
    block = b"x" * 65536
    with socket.create_connection(server) as connection:
        for _ in range(count):
            connection.sendall(block)
        connection.shutdown(socket.SHUT_WR)
        assert connection.recv(1) == b""  # the other end has all of it


def crowd(server: tuple[str, int], count: int) -> None:
    connections = [socket.socket() for _ in range(count)]
    for connection in connections:
        connection.setblocking(False)
        assert connection.connect_ex(server) == errno.EINPROGRESS
    time.sleep(1.5)  # SYNs that found no room are sent again
    for connection in connections:
        connection.close()


def reset(server: tuple[str, int], count: int) -> None:
    for _ in range(count):
        with socket.create_connection(server) as connection:
            connection.sendall(MESSAGE)
            try:
                connection.recv(64)
            except ConnectionResetError:
                continue
            raise AssertionError("it was not reset")


def main() -> None:
    address, port, behaviour, count = sys.argv[1:5]
    behaviours = {"short": short, "refused": refused, "black_hole": black_hole, "bulk": bulk,
                  "crowd": crowd, "reset": reset}
    behaviours[behaviour]((address, int(port)), int(count))


if __name__ == "__main__":
    main()
