"""A host of pictures on loopback that may fail: it counts what is asked, and answers as each path says."""

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Host:
    """`files` by path. `statuses`: what a path answers instead, one a request, then the file."""

    files: dict[str, bytes]
    statuses: dict[str, list[int]] = field(default_factory=dict)
    asked: Counter[str] = field(default_factory=Counter)
    down: bool = False  # every answer is 503
    url: str = ""


@contextmanager
def hosting(files: dict[str, bytes]) -> Iterator[Host]:
    """The host, listening."""
    host = Host(files)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            host.asked[self.path] += 1
            waiting = host.statuses.get(self.path)
            status = 503 if host.down else waiting.pop(0) if waiting else 200 if self.path in host.files else 404
            body = host.files[self.path] if status == 200 else b""
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments: object) -> None:
            """Silent."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    host.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield host
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
