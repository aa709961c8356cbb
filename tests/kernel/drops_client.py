"""Sends what will be dropped: drops_client.py ADDRESS PORT BEHAVIOUR COUNT.

udp: datagrams from one port. syn: TCP connects that nobody answers, without waiting. echo: one TCP connection, that many
exchanges. damaged: datagrams whose IP header has a wrong checksum, as frames to everybody on eth0 (root).
"""

import errno
import socket
import struct
import sys
import time

DATAGRAM = b"x" * 500
ETHERTYPE_IPV4 = 0x0800


def udp(server: tuple[str, int], count: int) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        for _ in range(count):
            client.sendto(DATAGRAM, server)


def syn(server: tuple[str, int], count: int) -> None:
    clients = [socket.socket() for _ in range(count)]
    for client in clients:
        client.setblocking(False)
        assert client.connect_ex(server) == errno.EINPROGRESS
    time.sleep(0.3)
    for client in clients:
        client.close()


def echo(server: tuple[str, int], count: int) -> None:
    with socket.create_connection(server) as client:
        for _ in range(count):
            client.sendall(DATAGRAM)
            client.recv(len(DATAGRAM), socket.MSG_WAITALL)


def damaged(server: tuple[str, int], count: int) -> None:
    datagram = struct.pack("!HHHH", 50_000, server[1], 8, 0)
    header = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(datagram), 0, 0, 64, socket.IPPROTO_UDP, 0x1234,
                         socket.inet_aton("10.77.0.1"), socket.inet_aton(server[0]))
    with socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM) as client:
        for _ in range(count):
            client.sendto(header + datagram, ("eth0", ETHERTYPE_IPV4, 0, 0, b"\xff" * 6))


def main() -> None:
    address, port, behaviour, count = sys.argv[1:5]
    behaviours = {"udp": udp, "syn": syn, "echo": echo, "damaged": damaged}
    behaviours[behaviour]((address, int(port)), int(count))


if __name__ == "__main__":
    main()
