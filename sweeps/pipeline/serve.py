"""The live page: served to this machine alone, read-only, its updates pushed as server-sent events."""

from __future__ import annotations

import contextlib
import errno
import hmac
import json
import os
import secrets
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Condition, Event, Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

from rich.console import Console

from ae.cache import private_folder
from ae.errors import UserError
from sweeps.pipeline.live import LiveSweep, labelled, state_of, updates
from sweeps.report.html import html
from sweeps.report.page_data import page_data
from sweeps.storage.fetch import bring_down, fetch

PORT, PORTS = 8270, 20
"""The first port that is tried, and how many: a page finds its server again if the port stays the same."""
LOOK_S = 1.0
"""Seconds between two looks at the sweeps."""
COPY_S = 5.0
"""Seconds between two looks at a sweep that is stored elsewhere, at least."""
BEAT_S = 5.0
"""Seconds after which a reader hears that nothing is new."""
HEADERS = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Frame-Options": "DENY",
}


class PageServer(ThreadingHTTPServer):
    """Serves the page of some sweeps on 127.0.0.1.

    Args:
        sweeps: what is shown.
        port: where; None for the first free one of `PORTS`.

    Raises:
        UserError: if the port is taken.
    """

    daemon_threads = True
    block_on_close = False

    def __init__(self, sweeps: Sequence[LiveSweep], port: int | None = None) -> None:
        self.sweeps, self.token = list(sweeps), page_token()
        self.news, self.is_over = Condition(), Event()
        """Told at every look; and set once the server closes."""
        candidates = range(PORT, PORT + PORTS) if port is None else [port]
        for candidate in candidates:
            super().__init__(("127.0.0.1", candidate), _Handler, bind_and_activate=False)
            try:
                self.server_bind()
                self.server_activate()
                break
            except OSError as error:
                self.socket.close()
                if error.errno not in (errno.EADDRINUSE, errno.EACCES):
                    raise
        else:
            which = f"--port {port} is" if port is not None else f"ports {PORT} to {PORT + PORTS - 1} are"
            raise UserError(f"{which} taken or not allowed; give --port with another one")
        self.watcher = Thread(target=self._watch, name="page", daemon=True)
        self.watcher.start()

    @property
    def address(self) -> str:
        """Where a browser finds the page."""
        return f"http://127.0.0.1:{self.server_port}/{self.token}/"

    def server_close(self) -> None:
        """Let go of the port and of every reader."""
        self.is_over.set()
        with self.news:
            self.news.notify_all()
        super().server_close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A reader who went away is no error."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)

    def content(self) -> dict[str, Any]:
        """All of the page's data, as of now."""
        with self.news:
            return page_data(labelled(self.sweeps), state_of(self.sweeps))

    def after(self, since: str) -> tuple[str, list[dict[str, Any]] | None]:
        """What is new since then, and where that leaves the reader."""
        with self.news:
            return state_of(self.sweeps), updates(self.sweeps, since)

    def _watch(self) -> None:
        while not self.is_over.wait(LOOK_S):
            with self.news:
                for sweep in self.sweeps:
                    with contextlib.suppress(UserError, OSError):  # it is being replaced; the next look sees it again
                        sweep.refresh()
                self.news.notify_all()


def page_token() -> str:
    """A secret of this user: the same after a restart, so that a page that is open finds its server again.

    Raises:
        OSError: if it cannot be kept anywhere.
    """
    path = private_folder() / "page-token"
    own = partial(os.open, mode=0o600)
    with contextlib.suppress(FileExistsError), open(path, "x", opener=own) as file:
        file.write(secrets.token_urlsafe(24))
    return path.read_text().strip()


class _Handler(BaseHTTPRequestHandler):
    """Answers one reader."""

    server: PageServer
    protocol_version = "HTTP/1.1"
    timeout = 60

    def do_GET(self) -> None:
        """The page, its data, or its updates; anything else is not there."""
        if self.headers.get("Host", "") not in {
            f"{name}:{self.server.server_port}" for name in ("127.0.0.1", "localhost")
        }:
            return self._refuse(HTTPStatus.FORBIDDEN)  # another site's name may lead here
        address = urlsplit(self.path)
        token, _, name = address.path.removeprefix("/").partition("/")
        if not hmac.compare_digest(token.encode(), self.server.token.encode()):
            return self._refuse(HTTPStatus.NOT_FOUND)
        answers: dict[str, Callable[[], None]] = {"": self._page, "data": self._data}
        if name == "updates":
            since = self.headers.get("Last-Event-ID") or parse_qs(address.query).get("since", [""])[0]
            return self._updates(since)
        return answers.get(name, lambda: self._refuse(HTTPStatus.NOT_FOUND))()

    def log_message(self, format: str, *args: Any) -> None:
        """Requests are not logged: the address holds the token."""

    def _page(self) -> None:
        self._send(html(self.server.content(), ""), "text/html; charset=utf-8")

    def _data(self) -> None:
        self._send(json.dumps(self.server.content(), allow_nan=False, separators=(",", ":")), "application/json")

    def _send(self, text: str, kind: str) -> None:
        content = text.encode()
        self.send_response(HTTPStatus.OK)
        for name, value in {"Content-Type": kind, "Content-Length": str(len(content)), **HEADERS}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def _refuse(self, status: HTTPStatus) -> None:
        self.send_error(status)

    def _updates(self, since: str) -> None:
        """Push what is new until the reader goes away or must read everything anew."""
        self.close_connection = True
        self.send_response(HTTPStatus.OK)
        for name, value in {"Content-Type": "text/event-stream", "Connection": "close", **HEADERS}.items():
            self.send_header(name, value)
        self.end_headers()
        server, quiet = self.server, 0.0
        while not server.is_over.is_set():
            state, news = server.after(since)
            if news is None:
                return self._push("reload", state, "")
            if state != since or quiet >= BEAT_S or any(sweep.is_running for sweep in server.sweeps) or not quiet:
                self._push("update", state, json.dumps(news, allow_nan=False, separators=(",", ":")))
                quiet = 0.0
            since = state
            quiet += LOOK_S
            with server.news:
                server.news.wait(2 * LOOK_S)

    def _push(self, kind: str, state: str, data: str) -> None:
        self.wfile.write(f"event: {kind}\nid: {state}\ndata: {data}\n\n".encode())
        self.wfile.flush()


def serve(places: Sequence[str], port: int | None, say: Callable[[str], None]) -> None:
    """Serve the page of some sweeps until a Ctrl-C.

    Args:
        places: their results folders, or STORAGE/TASK/NAME; what is stored is copied to a temporary folder.
        port: where; None for a free one.
        say: tells the address to the person, once.

    Raises:
        UserError: if a place is not that of a sweep, or the port is taken.
    """
    with contextlib.ExitStack() as stack, contextlib.suppress(KeyboardInterrupt):
        server = PageServer([_opened(place, stack) for place in places], port)
        stack.callback(server.server_close)
        say(server.address)
        server.serve_forever(poll_interval=0.2)


def told(console: Console) -> Callable[[str], None]:
    """Tells a person where the page is, on a line of its own, so that it can be clicked or copied."""

    def tell(address: str) -> None:
        console.print(f"Live page, for this machine alone: {address}", soft_wrap=True, highlight=False, markup=False)
        console.print("Ctrl-C stops serving it; a sweep goes on.", highlight=False, markup=False)

    return tell


def _opened(place: str, stack: contextlib.ExitStack) -> LiveSweep:
    """The sweep at a place; of one that is stored elsewhere, a copy that is brought up to date every few seconds."""
    if "://" not in place:
        return LiveSweep(Path(place))
    results = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="sweep-page-")))
    folder, looked = fetch(place, results), time.monotonic()

    def again() -> None:
        nonlocal looked
        if time.monotonic() - looked >= COPY_S:
            bring_down(place, folder)
            looked = time.monotonic()

    return LiveSweep(folder, again)
