"""A web server of files on loopback, which can cut a connection, forget ranges, and say what it was asked."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class FileServer:
    """Files by path; `cut_after_bytes` ends each of the first `cuts` answers early."""

    files: dict[str, bytes]
    cut_after_bytes: int = 0
    cuts: int = 0
    knows_ranges: bool = True
    ranges: list[str] = field(default_factory=list)  # as they were asked for, "" for the whole file
    address: str = ""


@contextmanager
def serving(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    """Serve on a port of loopback until the block is left, which is told the address."""
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def file_server(files: dict[str, bytes]) -> Iterator[FileServer]:
    """Serve until the block is left."""
    told = FileServer(files)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            told.ranges.append(self.headers.get("Range", ""))
            content = told.files.get(self.path.removeprefix("/"))
            if content is None:
                self.send_error(404)
                return
            first = 0
            if told.knows_ranges and self.headers.get("Range"):
                first = int(self.headers["Range"].removeprefix("bytes=").rstrip("-"))
                if first >= len(content):
                    self.send_error(416)
                    return
                self.send_response(206)
                self.send_header("Content-Range", f"bytes {first}-{len(content) - 1}/{len(content)}")
            else:
                self.send_response(200)
            self.send_header("Content-Length", str(len(content) - first))
            self.end_headers()
            stop = len(content)
            if told.cuts:
                told.cuts -= 1
                stop = first + told.cut_after_bytes
            self.wfile.write(content[first:stop])

        def log_message(self, *_arguments: object) -> None:
            """Quietly."""

    with serving(Handler) as told.address:
        yield told
