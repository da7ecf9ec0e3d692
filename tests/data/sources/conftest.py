"""A server on this machine alone."""

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

Serve = Callable[[dict[str, bytes]], str]


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Iterator[Serve]:
    """Serve files by name: ``/good/``, ``/wrong/`` other bytes, ``/cut/`` half of them.

    Gives the address, such as ``127.0.0.1:1234``; ``/gone/`` has none.
    """
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with ExitStack() as stack:

        def start(files: dict[str, bytes]) -> str:
            class Server(BaseHTTPRequestHandler):
                def do_GET(self) -> None:
                    _, manner, name = self.path.split("/")
                    content = files.get(name, b"")
                    self.send_response(404 if manner == "gone" else 200)
                    self.send_header("Content-Length", str(len(content)))
                    self.end_headers()
                    sent = {
                        "good": content,
                        "wrong": bytes(len(content)),
                        "cut": content[: len(content) // 2],
                    }
                    self.wfile.write(sent.get(manner, b""))

                def log_message(self, *args: object) -> None: ...

            server = stack.enter_context(ThreadingHTTPServer(("127.0.0.1", 0), Server))
            thread = threading.Thread(target=server.serve_forever, args=(0.01,))
            thread.start()
            stack.callback(thread.join)
            stack.callback(server.shutdown)
            return f"127.0.0.1:{server.server_port}"

        yield start
