"""What every test stands on: one thread, a cache of its own, no data from outside, no request to the network."""

from __future__ import annotations

import os
import socket
from pathlib import Path

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
