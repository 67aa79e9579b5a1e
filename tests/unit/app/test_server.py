"""Who may speak to the explorer, and what it says where it cannot start."""

from __future__ import annotations

import http.client
import socket
from collections.abc import Callable
from typing import Any

import pytest

pytest.importorskip("bokeh", reason="bokeh is not installed: pip install 'latentia[explore]'")

from click.testing import CliRunner

from latentia.app.server import free_port
from latentia.app.subject import open_subject
from latentia.cli.main import cli
from latentia.core.errors import UserError
from latentia.runs import Run

UPGRADE = {
    "Upgrade": "websocket",
    "Connection": "Upgrade",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "x3JJHMbDL1EzLkh9GBhXDw==",
}


def ask(port: int, path: str, **headers: str) -> tuple[int, http.client.HTTPMessage, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("GET", path, headers=headers)
    answer = connection.getresponse()
    body = b"" if answer.status == 101 else answer.read()
    connection.close()
    return answer.status, answer.headers, body


def test_foreign_origins_and_hosts_are_refused(run: Run, serve_explorer: Callable[..., Any]) -> None:
    server = serve_explorer(open_subject(run.path), origins=["lab.example.org:443"])
    port = server.port
    status, headers, body = ask(port, "/picture/image/3.png")
    assert status == 200 and body.startswith(b"\x89PNG") and headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert ask(port, "/picture/image/3.png", Host="evil.example.org")[0] == 403, "a name that was re-bound"
    assert ask(port, "/page/main.js", Host="evil.example.org")[0] == 403
    assert ask(port, "/picture/image/3.png", **{"Sec-Fetch-Site": "cross-site"})[0] == 403
    assert ask(port, "/picture/image/99999.png")[0] == 404
    assert ask(port, "/picture/secret/1.png")[0] == 404
    assert ask(port, "/page/../server.py")[0] in (403, 404)
    for origin, expected in (
        ("http://evil.example.org", 403),
        (f"http://evil.example.org:{port}", 403),
        (f"http://127.0.0.1:{port}", 101),
        (f"http://localhost:{port}", 101),
        ("https://lab.example.org:443", 101),
    ):
        assert ask(port, "/ws", Origin=origin, **UPGRADE)[0] == expected, origin
    page = ask(port, "/")[2].decode()
    assert "http://" not in page.replace("http://www.w3.org", "") and "https://" not in page, (
        "everything is served from here"
    )


def test_a_busy_port_and_strange_hosts() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(UserError, match=f"port {port} is in use: choose another with --port, or any free one"):
            free_port("127.0.0.1", port)
    for host, port, told in (
        ("no.such.host.invalid", 0, "is no address of this machine"),
        ("::1", 0, "is an IPv6 address"),
        ("127.0.0.1", 99999, "--port is 99999, but a port is a number"),
    ):
        with pytest.raises(UserError, match=told):
            free_port(host, port)


def test_the_command_says_what_is_wrong(run: Run, tmp_path: Any) -> None:
    done = CliRunner().invoke(cli, ["explore", str(tmp_path), "--port", "0"])
    assert "is not a run folder" in str(done.exception)
    done = CliRunner().invoke(cli, ["explore", str(run.path), "--port", "0", "--allow-origin", "http://x"])
    assert "--allow-origin 'http://x' cannot be read: write HOST:PORT" in str(done.exception)
    open_subject(run.path).workspace.release()
