"""What stands at the other end of a module's connections: nodes and servers of Redis that say what a test wants."""

import json
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, TypeVar


class Node:
    """An HTTP server on a port of its own. `answers`: status and body by path; a text goes out as it is."""

    def __init__(self) -> None:
        self.answers: dict[str, tuple[int, Any]] = {}
        self.tokens: list[str] = []
        node = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                node.tokens.append(self.headers.get("Authorization", ""))
                status, body = node.answers.get(self.path, (404, {"detail": "nothing here"}))
                data = body.encode() if isinstance(body, str) else json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)

    @property
    def api(self) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}"


class Replication:
    """A server that takes any password and says `info` as its INFO; with `refusal`, that to the password."""

    def __init__(self) -> None:
        self.info: dict[str, object] = {}
        self.refusal = ""
        server = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                while head := self.rfile.readline():
                    words = [self.rfile.read(int(self.rfile.readline()[1:]) + 2)[:-2] for _ in range(int(head[1:]))]
                    self.wfile.write(server._answer(words))

        class Server(socketserver.ThreadingTCPServer):
            daemon_threads = True

        self.server = Server(("127.0.0.1", 0), Handler)

    @property
    def port(self) -> int:
        return int(self.server.server_address[1])

    def _answer(self, words: list[bytes]) -> bytes:
        if words[0] != b"INFO":
            return f"-{self.refusal}\r\n".encode() if self.refusal else b"+OK\r\n"
        text = "# Replication\r\n" + "".join(f"{name}:{value}\r\n" for name, value in self.info.items())
        return f"${len(text)}\r\n{text}\r\n".encode()


T = TypeVar("T", Node, Replication)


@contextmanager
def serving(made: T) -> Iterator[T]:
    """It answers while the block runs."""
    thread = threading.Thread(target=made.server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield made
    finally:
        made.server.shutdown()
        made.server.server_close()
        thread.join()
