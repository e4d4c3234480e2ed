"""A server that sends a byte now and then, so that no wait of its own is over."""

import socket
import threading
from contextlib import contextmanager


@contextmanager
def dripping(at_once, forever, pause=0.02):
    """Answer every request with some bytes at once, and then a piece after each pause."""
    listening = socket.create_server(("127.0.0.1", 0))
    asked, stopping = [], threading.Event()

    def answer(connection):
        with connection:
            asked.append(connection.recv(65536).partition(b"\r\n")[0])
            try:
                connection.sendall(at_once)
                while not stopping.wait(pause):
                    connection.sendall(forever)
            except OSError:  # the client has hung up
                pass

    def accept():
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            threading.Thread(target=answer, args=[connection], daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}", asked
    finally:
        stopping.set()
        listening.close()
