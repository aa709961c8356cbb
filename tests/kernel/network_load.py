"""Something that shows on a network: network_load.py BEHAVIOUR ADDRESS PORT COUNT. Prints "ready" once it has begun or
done what it does, and what lasts ends with the process.

listen: accepts connections and holds them. hold: COUNT connections, held. flood: COUNT datagrams as fast as they go.
flows: one datagram from each of COUNT sockets, held. deaf: a UDP socket with the smallest buffer that nobody reads.
"""

import socket
import sys
import time

DATAGRAM = b"x" * 1400


def say_ready_and_hold() -> None:
    print("ready", flush=True)
    time.sleep(3600)


def listen(address: str, port: int) -> None:
    with socket.create_server((address, port), backlog=128) as listener:
        print("ready", flush=True)
        held = []
        while True:
            held.append(listener.accept())


def main() -> None:
    behaviour, address, port, count = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    if behaviour == "listen":
        listen(address, port)
    elif behaviour == "hold":
        connections = [socket.create_connection((address, port), timeout=10) for _ in range(count)]
        say_ready_and_hold()
        del connections
    elif behaviour == "flood":
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            for _ in range(count):
                sock.sendto(DATAGRAM, (address, port))
    elif behaviour == "flows":
        sockets = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(count)]
        for sock in sockets:
            sock.sendto(b"x", (address, port))
        say_ready_and_hold()
    elif behaviour == "deaf":
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
            sock.bind((address, port))
            say_ready_and_hold()


if __name__ == "__main__":
    main()
