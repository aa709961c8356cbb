"""A server that loses packets: drops_peer.py ADDRESS PORT BEHAVIOUR. Prints "ready" once it can be reached.

echo: TCP, answers what it is sent until the client closes. slow: UDP, reads one datagram and no more, with room for few.
"""

import socket
import sys
import time


def echo(address: str, port: int) -> None:
    with socket.create_server((address, port)) as listener:
        print("ready", flush=True)
        while True:
            connection, _ = listener.accept()
            with connection:
                while data := connection.recv(1 << 16):
                    connection.sendall(data)


def slow(address: str, port: int) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        server.bind((address, port))
        print("ready", flush=True)
        server.recv(64)
        time.sleep(3600)


def main() -> None:
    address, port, behaviour = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    {"echo": echo, "slow": slow}[behaviour](address, port)


if __name__ == "__main__":
    main()
