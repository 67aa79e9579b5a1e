"""What every test stands on: one thread, a cache of its own, no data from outside, no request to the network."""

from __future__ import annotations

import asyncio
import os
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

# The suite runs in parallel and small tensors gain nothing from more threads; child processes inherit it.
os.environ["OMP_NUM_THREADS"] = "1"

import torch

torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def _surroundings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LATENTIA_CACHE", str(tmp_path / "cache-of-this-test"))
    monkeypatch.delenv("LATENTIA_DATA", raising=False)


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: object) -> object:
        if isinstance(address, tuple) and address[0] not in ("127.0.0.1", "localhost", "::1"):
            raise OSError(f"a test asked for the network: {address}")
        return connect(self, address)  # type: ignore[arg-type]

    monkeypatch.setattr(socket.socket, "connect", guarded)


@pytest.fixture
def image_folder(tmp_path: Path) -> Path:
    """Return a flat folder of twelve small grey images, all different."""
    import numpy as np
    from PIL import Image

    folder = tmp_path / "images"
    folder.mkdir()
    random = np.random.default_rng(0)
    for number in range(12):
        Image.fromarray(random.integers(0, 256, (10, 9), dtype=np.uint8)).save(folder / f"image{number}.png")
    return folder


@pytest.fixture
def serve_explorer() -> Iterator[Callable[..., Any]]:
    """Return a function that serves a subject in a thread and returns its server; all are stopped at the end."""
    pytest.importorskip("bokeh", reason="bokeh is not installed: pip install 'latentia[explore]'")
    from latentia.app.server import ExplorerServer

    started: list[tuple[ExplorerServer, threading.Thread]] = []

    def serve(subject: Any, **options: Any) -> ExplorerServer:
        made: list[ExplorerServer] = []
        ready = threading.Event()

        def run() -> None:
            asyncio.set_event_loop(asyncio.new_event_loop())
            made.append(ExplorerServer(subject, port=0, **options))
            made[0].run(lambda _: ready.set())
            asyncio.get_event_loop().close()

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        assert ready.wait(20), "the explorer did not start"
        started.append((made[0], thread))
        return made[0]

    yield serve
    for server, thread in started:
        server.stop()
        thread.join(10)
