"""The page of metrics and `/healthz`, over plain HTTP for this machine alone. Knows WSGI; nothing of jobs.

A web page that a person here visits can make their browser ask loopback addresses, under a name of the page's choosing
(DNS rebinding). So only requests that name this address as their host and come from no web page are answered.
"""

import socket
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from prometheus_client import CollectorRegistry, make_wsgi_app

from diffava_server.errors import StartError

MAX_REQUESTS = 16  # at once; whoever scrapes asks one at a time
IDLE_S = 5.0  # for which a connection may say nothing

StartResponse = Callable[..., Any]
Application = Callable[[dict[str, Any], StartResponse], Iterable[bytes]]


@contextmanager
def served(address: str, registry: CollectorRegistry, is_serving: Callable[[], bool]) -> Iterator[str]:
    """Answer at HOST:PORT in a thread of its own while this lasts; yields the address with its port.

    Raises:
        StartError: The address is taken.
    """
    host, _, port = address.rpartition(":")
    page = _page(registry, is_serving)
    try:
        server = make_server(host.strip("[]"), int(port), page, _server_class(host), _Handler)
    except OSError as error:
        raise StartError(
            f"The metrics cannot be shown at {address}: {error.strerror}; choose another with --metrics."
        ) from error
    bound = f"{host}:{server.server_port}"
    server.set_app(guarded(page, {bound, f"localhost:{server.server_port}"}))
    thread = threading.Thread(target=server.serve_forever, args=(0.1,), name="diffava-metrics", daemon=True)
    thread.start()
    try:
        yield bound
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def guarded(application: Application, hosts: set[str]) -> Application:
    """The application for requests of this machine's programs; everything that smells of a browser is refused."""

    def answer(environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        status, text = _refusal(environ, hosts)
        if not status:
            return application(environ, start_response)
        start_response(status, [("Content-Type", "text/plain; charset=utf-8")])
        return [f"{text}\n".encode()]

    return answer


def _refusal(environ: dict[str, Any], hosts: set[str]) -> tuple[str, str]:
    """The status and the sentence of a refusal, or twice nothing."""
    if environ.get("HTTP_HOST", "").lower() not in hosts:
        return "403 Forbidden", f"This page answers to {' or '.join(sorted(hosts))} alone."
    if "HTTP_ORIGIN" in environ or environ.get("HTTP_SEC_FETCH_SITE", "none") != "none":
        return "403 Forbidden", "This page is not for other web pages."
    if "HTTP_UPGRADE" in environ:
        return "400 Bad Request", "This page does not change its protocol."
    if environ["REQUEST_METHOD"] not in ("GET", "HEAD"):
        return "405 Method Not Allowed", "This page is only read."
    return "", ""


def _page(registry: CollectorRegistry, is_serving: Callable[[], bool]) -> Application:
    metrics: Application = make_wsgi_app(registry)

    def answer(environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "")
        if path == "/metrics":
            return metrics(environ, start_response)
        status, text = ("200 OK", "SERVING") if is_serving() else ("503 Service Unavailable", "NOT_SERVING")
        if path != "/healthz":
            status, text = "404 Not Found", "There are /metrics and /healthz."
        start_response(status, [("Content-Type", "text/plain; charset=utf-8")])
        return [f"{text}\n".encode()]

    return answer


class _Handler(WSGIRequestHandler):
    timeout = IDLE_S

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: whoever scrapes does so every few seconds."""


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True
    allow_reuse_address = sys.platform != "win32"  # there it would let two servers share the port

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._free = threading.BoundedSemaphore(MAX_REQUESTS)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Begin one in a thread of its own, unless too many are under way."""
        if self._free.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Answer one."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._free.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hung up or said nothing is no event."""


class _Server6(_Server):
    address_family = socket.AF_INET6


def _server_class(host: str) -> type[_Server]:
    return _Server6 if ":" in host else _Server
