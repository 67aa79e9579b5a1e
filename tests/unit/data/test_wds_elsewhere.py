"""Shards on other machines: fsspec's memory, and a web server on this machine; what is asked of it is counted."""

from __future__ import annotations

import builtins
import re
import shutil
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from latentia import load, train
from latentia.core.errors import DamagedData, UserError
from latentia.data.shards import addresses
from latentia.data.shards.addresses import Address
from latentia.data.shards.packing import pack
from latentia.data.stream import ImageStream
from latentia.data.stream_batches import StreamBatches

fsspec = pytest.importorskip("fsspec", reason="fsspec is not installed: pip install 'latentia[remote]'")

RANDOM = np.random.default_rng(0)
COUNT = 120


@pytest.fixture(autouse=True)
def _no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(addresses, "PAUSE", 0.0)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three packed shards whose images have names and labels."""
    pixels = RANDOM.integers(0, 256, (COUNT, 1, 9, 8), dtype=np.uint8)
    images = load(pixels, labels=np.arange(COUNT) % 3)
    names = [f"picture {number}" for number in range(COUNT)]
    named = type(images)(images.pixels, names, images.ids, images.labels, images.classes)
    pack(named, tmp_path / "shards", images_per_shard=40, quiet=True)
    return tmp_path / "shards"


@pytest.fixture
def memory(folder: Path) -> Iterator[str]:
    """The shards in fsspec's memory."""
    files = fsspec.filesystem("memory")
    for path in folder.rglob("*"):
        if path.is_file():
            files.pipe_file(f"/bucket/{path.relative_to(folder).as_posix()}", path.read_bytes())
    yield "memory://bucket"
    files.store.clear()


class Handler(SimpleHTTPRequestHandler):
    """Serves parts of files, and notes what it is asked for."""

    asked: list[tuple[str, str, int]] = []  # noqa: RUF012
    parts = True
    failures = 0

    def log_message(self, *words: Any) -> None:
        """Say nothing."""

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def do_GET(self) -> None:
        self._answer(body=True)

    def _answer(self, body: bool) -> None:
        path = Path(self.translate_path(self.path))
        found = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range") or "")
        if type(self).failures and found:
            type(self).failures -= 1
            self.send_error(503)
            return
        if not path.is_file():
            self.send_error(404)
            return
        content, status = path.read_bytes(), 200
        if found and self.parts:
            content, status = content[int(found[1]) : int(found[2]) + 1], 206
        self.asked.append((self.command, self.path, len(content) if body else 0))
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        if self.parts:
            self.send_header("Accept-Ranges", "bytes")
        self.end_headers()
        if body:
            self.wfile.write(content)


@pytest.fixture
def server(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    pytest.importorskip("aiohttp", reason="aiohttp is not installed: pip install 'latentia[remote]'")
    for name, value in (("asked", []), ("parts", True), ("failures", 0)):
        monkeypatch.setattr(Handler, name, value)
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(folder))) as serving:
        threading.Thread(target=serving.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{serving.server_address[1]}"
        serving.shutdown()


def unindexed(folder: Path) -> Path:
    """Let the shards be such as another program wrote."""
    shutil.rmtree(folder / "members")
    (folder / "index.json").unlink()
    return folder


def alike(one: Any, other: Any) -> bool:
    assert isinstance(one, ImageStream) and one.fingerprint == other.fingerprint
    columns = ("pixels", "ids", "labels")
    same = all(np.array_equal(np.asarray(getattr(one, name)), np.asarray(getattr(other, name))) for name in columns)
    return same and list(one.names) == list(other.names) and one.classes == other.classes


@pytest.mark.parametrize("split", ["all", "train", "validation"])
def test_packed_shards_elsewhere_are_those_here(folder: Path, memory: str, split: str) -> None:
    here = load(f"wds:{folder}", split)
    assert alike(load(f"wds:{memory}", split), here) and alike(load(f"wds:{memory}/*.tar", split), here)
    assert alike(load(f"wds:{memory}/{{000000..000002}}.tar", split), here)
    two = load(f"wds:{memory}/{{000001..000002}}.tar")
    assert np.asarray(two.ids).tolist() == list(range(40, COUNT))
    with pytest.raises(UserError, match=r"memory://bucket/000009\.tar is not in the index beside it"):
        load(f"wds:{memory}/000009.tar")


def test_shards_of_other_programs_elsewhere_are_those_here(folder: Path, memory: str) -> None:
    files = fsspec.filesystem("memory")
    for name in files.find("/bucket"):
        if not name.endswith(".tar"):
            files.rm_file(name)
    here = load(f"wds:{unindexed(folder)}", "train", quiet=True)
    assert alike(load(f"wds:{memory}", "train", quiet=True), here)
    assert alike(load(f"wds:{memory}/{{000000..000002}}.tar", "train", quiet=True), here)
    with pytest.raises(UserError, match=r"the shard memory://bucket/000003\.tar is not there"):
        load(f"wds:{memory}/{{000000..000003}}.tar", quiet=True)
    with pytest.raises(UserError, match=r"holds no shards: files that end in \.tar"):
        load("wds:memory://nowhere", quiet=True)
    files.pipe_file("/bucket/000001.tar", files.cat_file("/bucket/000001.tar")[:3000])
    with pytest.raises(UserError, match=r"the shard memory:/+bucket/000001\.tar is cut off"):
        load(f"wds:{memory}", quiet=True)


def test_a_run_on_shards_elsewhere_is_that_on_those_here(folder: Path, memory: str, tmp_path: Path) -> None:
    choices: dict[str, Any] = {"epochs": 1, "latent_dim": 2, "figures": False, "quiet": True, "device": "cpu"}
    there = train(f"wds:{memory}", runs=tmp_path / "there", **choices)
    here = train(f"wds:{folder}", runs=tmp_path / "here", **choices)
    contents = [(run.path / "model.safetensors").read_bytes() for run in (there, here)]
    assert contents[0] == contents[1]


def test_images_are_asked_for_by_ranges_and_tables_once(folder: Path, server: str) -> None:
    images: Any = load(f"wds:{server}?key=secret")
    assert [(kind, path) for kind, path, _ in Handler.asked if kind == "GET"] == [("GET", "/index.json?key=secret")]
    Handler.asked.clear()
    assert np.array_equal(images.pixels[50:60], load(f"wds:{folder}").pixels[50:60])
    sizes = {path: size for kind, path, size in Handler.asked if kind == "GET"}
    assert set(sizes) == {"/000001.tar?key=secret", "/members/000001.npy?key=secret"}
    assert sizes["/000001.tar?key=secret"] < (folder / "000001.tar").stat().st_size / 3
    Handler.asked.clear()
    assert (
        len(images.pixels[50:60]) == 10 and len(Handler.asked) == 1
    )  # the table is there, and images lie side by side
    again: Any = load(f"wds:{server}?key=secret")
    Handler.asked.clear()
    assert len(again.pixels[40:80]) == 40 and not [path for _, path, _ in Handler.asked if "members" in path]


def test_a_web_server_of_other_programs_shards(folder: Path, server: str) -> None:
    here = load(f"wds:{unindexed(folder)}", quiet=True)
    where = f"wds:{server}/{{000000..000002}}.tar"
    assert alike(load(where, quiet=True), here)
    Handler.asked.clear()
    assert load(where, quiet=True).fingerprint == here.fingerprint
    # headers are read once: then only the few images are, by which the form is chosen, a request for each shard
    assert sum(kind == "GET" and path.endswith(".tar") for kind, path, _ in Handler.asked) == 3


def test_a_request_that_fails_is_made_again_and_then_told(server: str) -> None:
    images = load(f"wds:{server}?key=secret")
    Handler.failures = 2
    assert len(images.pixels[:3]) == 3
    Handler.failures = 3
    with pytest.raises(DamagedData, match=r"http://127\.0\.0\.1:\d+/000000\.tar cannot be read: 503") as told:
        images.pixels[:3]
    assert "secret" not in str(told.value)


def test_what_is_wrong_elsewhere_is_one_sentence(
    folder: Path, memory: str, server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = fsspec.filesystem("memory")
    images = load(f"wds:{memory}")
    content = bytearray(files.cat_file("/bucket/000001.tar"))
    files.pipe_file("/bucket/000001.tar", bytes(content[:2000]))
    with pytest.raises(DamagedData, match=r"memory://bucket/000001\.tar is cut off: its image 'picture 4\d'"):
        np.asarray(images.pixels)
    content[600] ^= 1
    files.pipe_file("/bucket/000001.tar", bytes(content))
    with pytest.raises(DamagedData, match=r"'picture 40' in the shard memory://bucket/000001\.tar is corrupt"):
        np.asarray(images.pixels)
    files.rm_file("/bucket/000001.tar")
    with pytest.raises(DamagedData, match=r"the shard memory://bucket/000001\.tar is not there, or may not be read"):
        np.asarray(images.pixels)
    shutil.rmtree(folder / "members")
    with pytest.raises(UserError, match=r"no-such-store://a/index\.json cannot be opened: Protocol not known"):
        load("wds:no-such-store://a/b.tar")
    monkeypatch.setattr(Handler, "parts", False)
    served = load(f"wds:{server}/000000.tar")
    with pytest.raises(DamagedData, match=r"server sends whole files only: copy it here"):
        served.pixels[:3]


def test_without_fsspec_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    original = builtins.__import__

    def without(name: str, *arguments: Any, **options: Any) -> Any:
        if name.startswith("fsspec"):
            raise ImportError(name)
        return original(name, *arguments, **options)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(UserError, match=r"s3://bucket/.*read by the package fsspec: pip install 'latentia\[remote\]'"):
        load("wds:s3://bucket/shard-{000..099}.tar")


def test_addresses() -> None:
    signed = Address("https://host/a/b.v1.tar?key=x/y.tar")
    assert (signed.name, signed.stem, str(signed)) == ("b.v1.tar", "b.v1", "https://host/a/b.v1.tar")
    assert signed.parent == Address("https://host/a?key=x/y.tar")
    assert signed.parent / "index.json" == Address("https://host/a/index.json?key=x/y.tar")
    assert Address("s3://bucket/a?.tar").parent == Address("s3://bucket")


def test_reading_processes_ask_for_themselves(folder: Path, server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    here: Any = load(f"wds:{folder}", "train")
    there: Any = load(f"wds:{server}", "train")
    monkeypatch.setenv("LATENTIA_READERS", "1")
    expected, found = (
        [(batch.ids.tolist(), batch.pixels.sum().item()) for batch in StreamBatches(images, images.format, 32, seed=0)]
        for images in (here, there)
    )
    assert found == expected and any(path == "/000002.tar" for _, path, _ in Handler.asked)
