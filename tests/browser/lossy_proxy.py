# Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
"""A proxy in front of the web shop that counts what passes, and loses answers when it is told to."""

import http.client
import http.server
import threading
import urllib.parse


class LossyProxy:
    """A context manager; `url` is where the browser goes."""

    def __init__(self, upstream):
        self.upstream = urllib.parse.urlsplit(upstream).netloc
        self.lock = threading.Lock()
        self.posts = []  # one per POST that the server answered: whether it carried an Idempotency-Key
        self.statuses = []  # of those answers
        self.to_lose = 0  # how many more answers to a POST get lost
        self.lost = 0

    def __enter__(self):
        proxy = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                proxy.carry(self)

            do_POST = do_GET

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever)
        self.thread.start()
        self.url = f"http://127.0.0.1:{self.server.server_port}/"
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()

    def lose(self, count):
        with self.lock:
            self.to_lose = count

    def carry(self, client):
        body = client.rfile.read(int(client.headers.get("Content-Length", 0)))
        connection = http.client.HTTPConnection(self.upstream)
        connection.putrequest(client.command, client.path, skip_host=True, skip_accept_encoding=True)
        for name, value in client.headers.items():
            if name.lower() not in ("connection", "keep-alive"):
                connection.putheader(name, value)
        connection.putheader("Connection", "close")
        connection.endheaders(body)
        answer = connection.getresponse()
        content = answer.read()  # so the server has committed before anything is lost
        connection.close()
        if client.command == "POST" and self.keep_from_browser(client, answer):
            client.close_connection = True
            return
        client.send_response_only(answer.status, answer.reason)
        for name, value in answer.getheaders():
            if name.lower() not in ("connection", "keep-alive"):
                client.send_header(name, value)
        client.end_headers()
        try:
            client.wfile.write(content)
        except ConnectionError:
            pass  # the browser has lost interest: a second click ends what the first one began

    def keep_from_browser(self, client, answer):
        with self.lock:
            self.posts.append("Idempotency-Key" in client.headers)
            self.statuses.append(answer.status)
            if self.to_lose:
                self.to_lose -= 1
                self.lost += 1
                return True
            return False
