"""connections_client.py ADDRESS PORT COUNT: opens so many connections, sends 1,000 bytes on each and holds them until it is
ended. With ADDRESS "listen" it is the server: accepts, reads and says nothing.
"""

import selectors
import socket
import sys
import time


def listen(port: int) -> None:
    selector = selectors.DefaultSelector()
    listener = socket.create_server(("0.0.0.0", port))
    selector.register(listener, selectors.EVENT_READ)
    print("ready", flush=True)
    while True:
        for key, _ in selector.select():
            if key.fileobj is listener:
                selector.register(listener.accept()[0], selectors.EVENT_READ)
            elif not key.fileobj.recv(65536):
                selector.unregister(key.fileobj)
                key.fileobj.close()


def hold(address: str, port: int, count: int) -> None:
    connections = [socket.create_connection((address, port)) for _ in range(count)]
    for connection in connections:
        connection.sendall(b"x" * 1000)
    print("ready", flush=True)
    while connections:
        time.sleep(60)


if sys.argv[1] == "listen":
    listen(int(sys.argv[2]))
else:
    hold(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
