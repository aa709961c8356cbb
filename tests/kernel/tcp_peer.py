"""A server of one kind of behaviour: tcp_peer.py ADDRESS PORT BEHAVIOUR. Prints "ready" once it listens.

echo: answers what it is sent, until the client closes. sink: reads to the end. deaf: never accepts; one connection more
than its backlog of one finds room. rude: closes with bytes that it did not read, which resets the client.
"""

import socket
import sys
import time


def serve(listener: socket.socket, behaviour: str) -> None:
    while True:
        if behaviour == "deaf":
            time.sleep(3600)
        connection, _ = listener.accept()
        with connection:
            if behaviour == "rude":
                connection.recv(1)
                continue
            while data := connection.recv(1 << 18):
                if behaviour == "echo":
                    connection.sendall(data)


def main() -> None:
    address, port, behaviour = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    with socket.create_server((address, port), backlog=1 if behaviour == "deaf" else 128) as listener:
        print("ready", flush=True)
        serve(listener, behaviour)


if __name__ == "__main__":
    main()
