# Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
"""A way from a port of 127.0.0.1 to the server's Unix socket, which can lose the answer to a COMMIT."""
import contextlib
import select
import socket
import threading


class Forwarder:
    """Drivers that know no Unix sockets connect here, too."""

    def __init__(self, path):
        self.path = path
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.has_committed = None
        self.asking = threading.Lock()  # a driver's pool has several connections at a time

    def __enter__(self):
        threading.Thread(target=self.accept, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.listener.close()

    @contextlib.contextmanager
    def losing_commit(self, has_committed):
        """Loses the first that the server says after has_committed() has become true: the answer to that COMMIT.

        has_committed() is called in other threads, one at a time. Yields what tells whether that has happened."""
        self.has_committed = has_committed
        try:
            yield lambda: self.has_committed is None
        finally:
            with self.asking:
                self.has_committed = None

    def accept(self):
        while True:
            try:
                client = self.listener.accept()[0]
            except OSError:
                return  # closed
            threading.Thread(target=self.serve, args=(client,), daemon=True).start()

    def serve(self, client):
        with client, socket.socket(socket.AF_UNIX) as server:
            server.connect(self.path)
            while True:
                for one in select.select([client, server], [], [])[0]:
                    try:
                        data = one.recv(65536)
                    except OSError:
                        data = b""
                    if not data:
                        return
                    if one is server and self.is_lost():
                        return
                    (client if one is server else server).sendall(data)

    def is_lost(self):
        with self.asking:
            if not (self.has_committed and self.has_committed()):
                return False
            self.has_committed = None
            return True
