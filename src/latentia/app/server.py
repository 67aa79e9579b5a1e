"""The server: one Bokeh application on the loopback address, its pictures and files, and who may speak to it."""

from __future__ import annotations

import contextlib
import logging
import re
import socket
import warnings
import webbrowser
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import torch
from bokeh.application import Application
from bokeh.application.handlers.function import FunctionHandler
from bokeh.core.templates import get_env
from bokeh.document import Document
from bokeh.server.server import Server
from tornado.ioloop import IOLoop
from tornado.web import HTTPError, RequestHandler, StaticFileHandler

from latentia.app.explorer import Explorer
from latentia.app.pictures import KINDS
from latentia.app.session import Session
from latentia.app.subject import Subject
from latentia.app.uploads import MOST_BYTES
from latentia.core.errors import UserError

HERE, EVERYWHERE = "127.0.0.1", "0.0.0.0"
PORT = 5006
PAGE = Path(__file__).parent / "page"
Say = Callable[[str], None]


class ExplorerServer:
    """Serves a subject until it is stopped.

    Args:
        subject: what is explored.
        host: the address to listen on.
        port: 0 for any that is free.
        origins: further HOST:PORT by which browsers reach the page.

    Raises:
        UserError: the port is in use, or the host is no address of this machine.
    """

    def __init__(self, subject: Subject, host: str = HERE, port: int = PORT, origins: Sequence[str] = ()) -> None:
        # decoding is short work that threads would slow, and long jobs leave a core for the page
        torch.set_num_threads(1)
        self.subject = subject
        self.host, self.port = host, free_port(host, port)
        self._allowed = frozenset({*_names_of(host, self.port), *(origin.lower() for origin in origins)})
        for origin in origins:
            if not re.fullmatch(r"[A-Za-z0-9.-]+:[0-9]{1,5}", origin):
                raise UserError(
                    f"--allow-origin {origin!r} cannot be read: write HOST:PORT, such as lab.example.org:5006"
                )
        guard: dict[str, Any] = {"allowed": self._allowed}
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)
                self._server = Server(
                    {"/": Application(FunctionHandler(self._open_page))},
                    address=host,
                    port=self.port,
                    allow_websocket_origin=sorted(self._allowed),
                    extra_patterns=[
                        (r"/picture/([a-z]+)/([0-9]+)\.png", PictureHandler, {"server": self, **guard}),
                        (r"/page/(.*)", PageFileHandler, {"path": str(PAGE), **guard}),
                    ],
                    websocket_max_message_size=2 * MOST_BYTES,
                    keep_alive_milliseconds=10_000,
                    unused_session_lifetime_milliseconds=10_000,
                )
        except OSError as error:
            raise _busy(host, port, error) from None
        self.painter = ThreadPoolExecutor(1, thread_name_prefix="painter")
        self.explorer = Explorer(subject, lambda function: self._server.io_loop.add_callback(function))

    @property
    def address(self) -> str:
        """Where the page is."""
        return f"http://{'localhost' if self.host == EVERYWHERE else self.host}:{self.port}/"

    def run(self, say: Say, *, open_browser: bool = False) -> None:
        """Serve until an interruption; ``say`` is told the address."""
        logging.getLogger("bokeh").setLevel(logging.ERROR)
        logging.getLogger("tornado.access").setLevel(logging.ERROR)
        self._server.start()
        self.subject.workspace.announce(self.address)
        say(self.address)
        if open_browser:
            webbrowser.open(self.address)
        try:
            self._server.io_loop.start()
        finally:
            self.close()

    def stop(self) -> None:
        """End :meth:`run` from another thread."""
        self._server.io_loop.add_callback(self._server.io_loop.stop)

    def close(self) -> None:
        """Give the port and the run folder back."""
        self.explorer.jobs.stop()
        self.painter.shutdown(wait=False, cancel_futures=True)
        self._server.stop()
        self.subject.workspace.release()

    def _open_page(self, document: Document) -> None:
        run = self.subject.run
        document.title = f"{run.path.name} · Latentia"
        document.template = get_env().from_string((PAGE / "page.html").read_text(encoding="utf-8"))
        document.template_variables.update(
            run_title=f"{run.description['preset']} on {Path(self.subject.images.source).name}",
            run_name=run.path.name,
            count=f"{len(self.subject):,}",
            source=self.subject.images.source,
        )
        Session(document, self.explorer)


def free_port(host: str, port: int) -> int:
    """Return ``port``, or one that is free for 0.

    Raises:
        UserError: it cannot be listened on; Bokeh would log a traceback.
    """
    if ":" in host:
        raise UserError(f"--host {host} is an IPv6 address, which the server cannot listen on: name an IPv4 address")
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        with socket.socket(family, socket.SOCK_STREAM) as trial:
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            trial.bind((host, port))
            return int(trial.getsockname()[1])
    except OverflowError:
        raise UserError(f"--port is {port}, but a port is a number from 0 to 65535") from None
    except OSError as error:
        raise _busy(host, port, error) from None


class GuardedHandler(RequestHandler):
    """Answers only who names this server by a name of its own, so that no foreign page reads images through the browser."""

    allowed: frozenset[str]

    def prepare(self) -> None:
        """Refuse foreign hosts and other sites."""
        foreign = self.request.headers.get("Sec-Fetch-Site", "same-origin") not in ("same-origin", "none")
        if self.request.host.lower() not in self.allowed or foreign:
            raise HTTPError(403)

    def set_default_headers(self) -> None:
        """Keep other sites and guesses at the content out."""
        self.set_header("Cross-Origin-Resource-Policy", "same-origin")
        self.set_header("X-Content-Type-Options", "nosniff")


class PictureHandler(GuardedHandler):
    """Pictures of the images."""

    def initialize(self, server: ExplorerServer, allowed: frozenset[str]) -> None:
        """Take what is shared."""
        self.server, self.allowed = server, allowed

    async def get(self, kind: str, row: str) -> None:
        """Send one of an image's pictures, made in a thread of its own: the page answers meanwhile."""
        number = int(row)
        if kind not in KINDS or number >= len(self.server.subject):
            raise HTTPError(404)
        try:
            pictures = self.server.explorer.pictures
            picture = await IOLoop.current().run_in_executor(self.server.painter, pictures.png, kind, number)
        except KeyError:
            raise HTTPError(404) from None
        self.set_header("Content-Type", "image/png")
        # the address names model and images, so that what it gives never changes
        self.set_header("Cache-Control", "private, max-age=86400, immutable")
        self.write(picture)


class PageFileHandler(GuardedHandler, StaticFileHandler):
    """The page's own scripts and styles."""

    def initialize(self, path: str, allowed: frozenset[str]) -> None:  # type: ignore[override]
        """Take what is shared."""
        StaticFileHandler.initialize(self, path)
        self.allowed = allowed

    def set_extra_headers(self, path: str) -> None:
        """Let a browser ask each time: a newer version comes with other files."""
        self.set_header("Cache-Control", "no-cache")


def _names_of(host: str, port: int) -> set[str]:
    names = {"localhost", HERE}
    if host == EVERYWHERE:
        names |= {socket.gethostname(), socket.getfqdn()}
        # a machine that does not know its own name is reached by --allow-origin
        with contextlib.suppress(OSError):
            found = socket.getaddrinfo(socket.gethostname(), port, family=socket.AF_INET)
            names |= {str(address[4][0]) for address in found}
    else:
        names.add(host)
    return {f"{name.lower()}:{port}" for name in names}


def _busy(host: str, port: int, error: OSError) -> UserError:
    if isinstance(error, socket.gaierror) or re.search("assign|resolve", str(error), flags=re.I):
        return UserError(f"--host {host} is no address of this machine: leave it out for this machine alone")
    if port and port < 1024 and isinstance(error, PermissionError):
        return UserError(f"port {port} may not be used by ordinary users: choose one above 1023 with --port")
    return UserError(f"port {port} is in use: choose another with --port, or any free one with --port 0")


def serve(subject: Subject, *, host: str, port: int, origins: Sequence[str], open_browser: bool, say: Say) -> None:
    """Serve a subject until an interruption (Ctrl-C or SIGTERM); ``say`` is told the address."""
    try:
        server = ExplorerServer(subject, host, port, origins)
    except BaseException:
        subject.workspace.release()
        raise
    server.run(say, open_browser=open_browser)
