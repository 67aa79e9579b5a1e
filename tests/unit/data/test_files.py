"""IDX, CIFAR-10 and NumPy files; downloads from a server on this machine."""

from __future__ import annotations

import functools
import gzip
import hashlib
import http.server
import io
import os
import tarfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from latentia import load
from latentia.core.errors import DownloadError, UserError
from latentia.data.downloads import fetch
from latentia.data.sources.idx import emnist_classes, read_idx

RANDOM = np.random.default_rng(0)


def idx(array: np.ndarray) -> bytes:
    header = bytes([0, 0, 8, array.ndim]) + b"".join(side.to_bytes(4, "big") for side in array.shape)
    return header + array.astype(np.uint8).tobytes()


@pytest.fixture
def mnist_folder(tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Path:
    layout, packed = getattr(request, "param", ("mnist", True))
    place = tmp_path / "data" / layout
    place.mkdir(parents=True)
    for name, count in (("train", 30), ("t10k", 8)):
        for kind, array in (
            ("images-idx3", RANDOM.integers(0, 256, (count, 28, 28))),
            ("labels-idx1", RANDOM.integers(0, 10, count)),
        ):
            content = idx(array)
            path = place / f"{name}-{kind}-ubyte{'.gz' if packed else ''}"
            path.write_bytes(gzip.compress(content) if packed else content)
    monkeypatch.setenv("LATENTIA_DATA", str(tmp_path / "data"))
    return place


@pytest.mark.parametrize("mnist_folder", [("mnist", True), ("MNIST/raw", False), (".", True)], indirect=True)
def test_files_already_there_are_read(mnist_folder: Path) -> None:
    train, validation, test, whole = (load("mnist", split) for split in ("train", "validation", "test", "all"))
    assert (len(train), len(validation), len(test), len(whole)) == (27, 3, 8, 38)
    assert len(set(whole.ids)) == len(set(whole.names)) == 38
    assert test.labels is not None
    assert whole.labels is not None
    assert (whole.pixels[30:] == test.pixels).all()


def test_training_reads_no_test_file(mnist_folder: Path) -> None:
    for path in mnist_folder.glob("t10k*"):
        path.unlink()
    assert len(load("mnist", "train")) == 27


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (lambda content: content[:-10], "is truncated"),
        (lambda content: b"\x01" + content[1:], "is no IDX file"),
    ],
)
def test_a_spoilt_file_gets_a_sentence(tmp_path: Path, spoil: object, sentence: str) -> None:
    path = tmp_path / "x-ubyte"
    path.write_bytes(spoil(idx(np.zeros((2, 3, 3)))))  # type: ignore[operator]
    with pytest.raises(UserError, match=sentence):
        read_idx(path, dimensions=3)


def test_a_cut_gzip_gets_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "x-ubyte.gz"
    path.write_bytes(gzip.compress(idx(RANDOM.integers(0, 256, (20, 9, 9))))[:-40])
    with pytest.raises(UserError, match="cannot be unpacked"):
        read_idx(path, dimensions=3)


def test_emnist_is_turned_upright_and_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pixels = RANDOM.integers(0, 256, (4, 28, 28))
    (tmp_path / "emnist").mkdir()
    for part in ("train", "test"):
        for kind, array in (("images-idx3", pixels), ("labels-idx1", np.array([1, 2, 26, 3]))):
            (tmp_path / "emnist" / f"emnist-letters-{part}-{kind}-ubyte.gz").write_bytes(gzip.compress(idx(array)))
    monkeypatch.setenv("LATENTIA_DATA", str(tmp_path))
    images = load("emnist-letters", "test")
    assert (images.pixels[:, 0] == pixels.transpose(0, 2, 1)).all()
    assert images.classes[26] == "z"
    assert len(emnist_classes("emnist")) == 47
    with pytest.raises(UserError, match="did you mean 'emnist-letters'"):
        load("emnist-leters")


def test_cifar10_is_read_from_its_binary_form(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    records = RANDOM.integers(0, 10, (4, 3073)).astype(np.uint8)
    with tarfile.open(tmp_path / "cifar-10-binary.tar.gz", "w:gz") as archive:
        for name in [f"data_batch_{number}.bin" for number in range(1, 6)] + ["test_batch.bin"]:
            entry = tarfile.TarInfo(f"cifar-10-batches-bin/{name}")
            entry.size = records.nbytes
            archive.addfile(entry, io.BytesIO(records.tobytes()))
    monkeypatch.setenv("LATENTIA_DATA", str(tmp_path))
    images = load("cifar10", "test")
    assert images.pixels.shape == (4, 3, 32, 32)
    assert (images.pixels.reshape(4, -1) == records[:, 1:]).all()
    assert len(load("cifar10", "train")) == 18


@pytest.mark.parametrize("suffix", [".npy", ".npz"])
def test_numpy_files(tmp_path: Path, suffix: str) -> None:
    pixels = RANDOM.integers(0, 256, (6, 9, 7), dtype=np.uint8)
    path = tmp_path / f"x{suffix}"
    if suffix == ".npy":
        np.save(path, pixels)
    else:
        np.savez(path, images=pixels, labels=np.arange(6))
    images = load(path)
    assert (images.pixels[:, 0] == pixels).all()
    assert (images.labels is None) == (suffix == ".npy")


def test_an_npz_may_name_official_parts(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", x_train=np.zeros((20, 4, 4)), y_train=np.zeros(20), x_test=np.ones((5, 4, 4)))
    assert len(load(tmp_path / "x.npz", "train")) == 18
    assert load(tmp_path / "x.npz", "test").pixels.min() == 1
    assert len(load(tmp_path / "x.npz")) == 25


def test_pickled_and_broken_arrays_are_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "o.npy", np.array([{}], dtype=object), allow_pickle=True)
    with pytest.raises(UserError, match="pickled objects"):
        load(tmp_path / "o.npy")
    (tmp_path / "cut.npy").write_bytes(b"\x93NUMPY")
    with pytest.raises(UserError, match="no whole NumPy file"):
        load(tmp_path / "cut.npy")
    with pytest.raises(UserError, match="does not exist"):
        load(tmp_path / "missing.npy")


class Handler(http.server.SimpleHTTPRequestHandler):
    def do_GET(self) -> None:
        if "stall" in self.path:
            self.send_response(200)
            self.send_header("Content-Length", "100")
            self.end_headers()
            self.wfile.write(b"x")
            self.wfile.flush()
            time.sleep(1.5)
        elif "cut" in self.path:
            self.send_response(200)
            self.send_header("Content-Length", "1000")
            self.end_headers()
            self.wfile.write(b"too short")
        elif "wrong" in self.path:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"something else")
        else:
            super().do_GET()

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    (tmp_path / "www").mkdir()
    (tmp_path / "www" / "file.bin").write_bytes(b"the content")
    handler = functools.partial(Handler, directory=str(tmp_path / "www"))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as httpd:
        threading.Thread(target=httpd.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{httpd.server_port}/"
        httpd.shutdown()


CHECKSUM = "md5:" + hashlib.md5(b"the content").hexdigest()


def test_the_next_mirror_is_tried(server: str, tmp_path: Path) -> None:
    mirrors = [f"{server}missing/", f"{server}wrong/", f"{server}cut/", server]
    path = fetch("file.bin", mirrors, CHECKSUM, tmp_path / "cache", quiet=True, timeout=0.5)
    assert path.read_bytes() == b"the content"
    os.utime(path, (1, 1))
    again = fetch("file.bin", mirrors, CHECKSUM, tmp_path / "cache", quiet=True)
    assert again.stat().st_mtime == 1, "a good file is not fetched again"


@pytest.mark.parametrize(
    ("mirror", "reason"),
    [("wrong/", "wrong checksum"), ("stall/", "stalled"), ("missing/", "answered 404"), ("cut/", "")],
)
def test_what_goes_wrong_is_said_and_nothing_is_kept(server: str, tmp_path: Path, mirror: str, reason: str) -> None:
    with pytest.raises(DownloadError, match="--data-dir or LATENTIA_DATA") as caught:
        fetch("file.bin", [server + mirror], CHECKSUM, tmp_path / "cache", quiet=True, timeout=0.4, rounds=1)
    assert reason in str(caught.value)
    assert not list((tmp_path / "cache").iterdir())


def test_a_file_of_no_known_kind_is_told_as_such(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no image")
    with pytest.raises(
        UserError, match=r"notes\.txt' is a file of no kind that is read: name a folder of images, or an .npy"
    ):
        load(tmp_path / "notes.txt")
