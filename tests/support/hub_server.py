"""The Hugging Face hub on loopback, as far as its client needs it to bring one file: who am I, and the bytes."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler

from support.file_server import serving

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@dataclass
class HubServer:
    """Files by path of the one repository `owner/name`, and which of them were sent."""

    files: dict[str, bytes]
    sent: list[str] = field(default_factory=list)
    address: str = ""


@contextmanager
def hub_server(files: dict[str, bytes]) -> Iterator[HubServer]:
    """Serve until the block is left."""
    told = HubServer(files)

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self._answer(with_body=False)

        def do_GET(self) -> None:
            self._answer(with_body=True)

        def _answer(self, *, with_body: bool) -> None:
            path = self.path.removeprefix("/owner/name/resolve/").partition("/")[2]
            content = told.files.get(path)
            if content is None:
                self.send_error(404)
                return
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.send_header("ETag", f'"{hashlib.sha256(content).hexdigest()}"')
            self.send_header("X-Repo-Commit", COMMIT)
            self.end_headers()
            if with_body:
                told.sent.append(path)
                self.wfile.write(content)

        def log_message(self, *_arguments: object) -> None:
            """Quietly."""

    with serving(Handler) as told.address:
        yield told
