"""Packing: the pixels stay what they are, other programs can read the shards, and a kill or a full disk spoils nothing."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import tarfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from latentia import load
from latentia.core.errors import StorageError, UserError
from latentia.data.shards import packing
from latentia.data.shards.catalogue import UNFINISHED
from latentia.data.shards.packing import pack

RANDOM = np.random.default_rng(0)


def arrays(dtype: str, channels: int, count: int = 25) -> np.ndarray[Any, Any]:
    shape = (count, channels, 12, 10)
    if dtype == "float32":
        return (RANDOM.normal(size=shape) * 3).astype(np.float32)
    return RANDOM.integers(0, np.iinfo(dtype).max, shape, dtype=dtype, endpoint=True)


@pytest.mark.parametrize("kind", ["auto", "npy"])
@pytest.mark.parametrize(
    ("dtype", "channels"),
    [
        ("uint8", 1),
        ("uint8", 2),
        ("uint8", 3),
        ("uint8", 4),
        ("uint8", 6),
        ("uint16", 1),
        ("uint16", 3),
        ("float32", 2),
    ],
)
def test_pixels_and_labels_come_back_as_they_were(tmp_path: Path, dtype: str, channels: int, kind: str) -> None:
    pixels, labels = arrays(dtype, channels), np.arange(25) % 4 - 1
    images = load(pixels, labels=labels)
    packed = pack(images, tmp_path / "shards", images_per_shard=10, kind=kind, quiet=True)
    assert (packed.images, packed.shards, packed.left_out) == (25, 3, 0)
    read = load(f"wds:{tmp_path / 'shards'}")
    assert read.format == images.format
    assert (np.asarray(read.pixels) == images.pixels).all() and read.pixels[3].dtype == dtype
    assert (np.asarray(read.labels) == labels).all()
    assert np.asarray(read.ids).tolist() == list(range(25))


READ_BY_WEBDATASET = """
import json, sys
import numpy as np, webdataset
urls, target = sys.argv[1:]
found = list(webdataset.WebDataset(urls, shardshuffle=False).decode("rgb8").to_tuple("__key__", "png", "cls"))
np.save(target, np.stack([image for _, image, _ in found]))
print(json.dumps([[key, int(label)] for key, _, label in found]))
"""


def test_the_webdataset_library_reads_them(tmp_path: Path) -> None:
    pytest.importorskip("webdataset", reason="webdataset is not installed: pip install webdataset")
    pixels, labels = arrays("uint8", 3), np.arange(25) % 5
    pack(load(pixels, labels=labels), tmp_path / "shards", images_per_shard=10, quiet=True)
    urls = str(tmp_path / "shards" / "{000000..000002}.tar")
    # in a process of its own, for the library leaves files open
    words = [sys.executable, "-c", READ_BY_WEBDATASET, urls, str(tmp_path / "read.npy")]
    said = subprocess.run(words, check=True, capture_output=True, text=True).stdout
    assert json.loads(said) == [[f"{number:09d}", number % 5] for number in range(25)]
    assert (np.load(tmp_path / "read.npy") == np.moveaxis(pixels, 1, -1)).all()
    index = json.loads((tmp_path / "shards" / "index.json").read_text())
    assert index["wids_version"] == 1 and [shard["nsamples"] for shard in index["shardlist"]] == [10, 10, 5]


def test_a_folder_is_packed_as_its_files_are(tmp_path: Path) -> None:
    for number in range(7):
        folder = tmp_path / "images" / ("cats" if number % 2 else "dogs")
        folder.mkdir(parents=True, exist_ok=True)
        picture = Image.fromarray(RANDOM.integers(0, 256, (9, 8, 3), dtype=np.uint8))
        picture.save(folder / f"{number}.{'jpg' if number < 4 else 'png'}")
    (tmp_path / "images" / "cats" / "broken.png").write_bytes(b"\x89PNG no")
    (tmp_path / "images" / "cats" / "a.v2.bmp").write_bytes((tmp_path / "images/cats/1.jpg").read_bytes())
    whole = load(tmp_path / "images", quiet=True)
    packed = pack(tmp_path / "images", tmp_path / "shards", quiet=True)
    read = load(f"wds:{tmp_path / 'shards'}")
    assert list(read.names) == list(whole.names) and "cats/1.jpg" in read.names
    assert (np.asarray(read.pixels) == whole.pixels).all()
    assert (np.asarray(read.labels) == whole.labels).all() and read.classes == ("cats", "dogs")
    assert any("broken.png" in note for note in packed.notes)
    with tarfile.open(tmp_path / "shards" / "000000.tar") as archive:
        members = {member.name: archive.extractfile(member).read() for member in archive}  # type: ignore[union-attr]
    number = list(whole.names).index("cats/1.jpg")
    assert members[f"{number:09d}.jpg"] == (tmp_path / "images" / "cats" / "1.jpg").read_bytes()  # not encoded again


def test_mixed_sizes_are_packed_at_the_size_that_a_folder_has(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    for number, side in enumerate((8, 12, 16)):
        pixels = RANDOM.integers(0, 256, (side, side), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / "images" / f"{number}.png")
    whole = load(tmp_path / "images", quiet=True)
    packed = pack(tmp_path / "images", tmp_path / "shards", quiet=True)
    assert (np.asarray(load(f"wds:{tmp_path / 'shards'}").pixels) == whole.pixels).all()
    assert any("12x12" in note for note in packed.notes)
    small = load(f"wds:{tmp_path / 'shards'}", size=(6, 6))
    assert small.pixels[0].shape == (1, 6, 6)


def test_official_parts_stay_apart(tmp_path: Path) -> None:
    pixels = arrays("uint8", 1, 60)
    np.savez(tmp_path / "set.npz", x_train=pixels[:40], x_test=pixels[40:], y_train=np.arange(40), y_test=np.arange(20))
    pack(tmp_path / "set.npz", tmp_path / "shards", images_per_shard=16, quiet=True)
    names = sorted(path.name for path in (tmp_path / "shards").glob("*.tar"))
    assert names == ["test-000000.tar", "test-000001.tar", "train-000000.tar", "train-000001.tar", "train-000002.tar"]
    where = f"wds:{tmp_path / 'shards'}"
    test, train, validation = (load(where, split) for split in ("test", "train", "validation"))
    assert (np.asarray(test.pixels) == pixels[40:]).all()
    assert len(train) + len(validation) == 40 and len(validation)
    ids = [set(np.asarray(part.ids).tolist()) for part in (test, train, validation)]
    assert not ids[0] & ids[1] and not ids[1] & ids[2] and len(set.union(*ids)) == 60


def test_images_of_equal_content_stay_in_one_split_and_keep_it(tmp_path: Path) -> None:
    pixels = np.repeat(arrays("uint8", 1, 200), 2, axis=0)
    pack(load(pixels), tmp_path / "a", images_per_shard=64, quiet=True)
    pack(load(pixels[::-1]), tmp_path / "b", images_per_shard=1000, quiet=True)

    def contents(where: Path, split: str) -> set[bytes]:
        return {image.tobytes() for image in load(f"wds:{where}", split)}

    parts = [contents(tmp_path / "a", split) for split in ("train", "validation", "test")]
    assert not parts[0] & parts[1] and not parts[0] & parts[2] and not parts[1] & parts[2]
    assert parts == [contents(tmp_path / "b", split) for split in ("train", "validation", "test")]
    assert 10 < len(parts[1]) < 35 and 10 < len(parts[2]) < 35


def test_a_kind_that_cannot_hold_the_pixels_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"holds no 2 channel\(s\) of float32: pack them with --kind npy"):
        pack(load(arrays("float32", 2)), tmp_path, kind="png", quiet=True)
    with pytest.raises(UserError, match="no kind of packed image called 'tiff'"):
        pack(load(arrays("uint8", 1)), tmp_path, kind="tiff", quiet=True)


def test_shards_are_cut_by_bytes_too(tmp_path: Path) -> None:
    packed = pack(load(arrays("uint8", 3, 20)), tmp_path / "s", shard_size=1000, quiet=True)
    assert packed.shards == 10  # two images of 417 bytes and some fit, three do not
    assert pack(load(arrays("uint8", 1, 3)), tmp_path / "t", shard_size=1, quiet=True).shards == 3


def test_packing_again_changes_nothing_and_other_images_are_refused(tmp_path: Path) -> None:
    images = load(arrays("uint8", 1))
    first = pack(images, tmp_path, images_per_shard=10, quiet=True)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    assert pack(images, tmp_path, images_per_shard=10, quiet=True) == first
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before
    with pytest.raises(UserError, match="holds shards of other images or settings: choose another folder"):
        pack(load(arrays("uint8", 1)), tmp_path, images_per_shard=10, quiet=True)


def test_a_full_disk_keeps_whole_shards_and_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    images = load(arrays("uint8", 1))
    add, calls = packing._add, 0

    def full(archive: Any, name: str, content: bytes) -> None:
        nonlocal calls
        calls += 1
        if calls == 14:
            archive.fileobj.write(b"half of a head")
            raise OSError(errno.ENOSPC, "No space left on device")
        add(archive, name, content)

    with monkeypatch.context() as patch:
        patch.setattr(packing, "_add", full)
        with pytest.raises(StorageError, match="the disk is full"):
            pack(images, tmp_path / "s", images_per_shard=10, quiet=True)
    assert [path.name for path in (tmp_path / "s").glob("*.tar*")] == ["000000.tar"]
    with pytest.raises(UserError, match="was not finished: run the same latentia pack again"):
        load(f"wds:{tmp_path / 's'}")
    kept = (tmp_path / "s" / "000000.tar").stat().st_mtime_ns
    pack(images, tmp_path / "s", images_per_shard=10, quiet=True)
    assert (tmp_path / "s" / "000000.tar").stat().st_mtime_ns == kept  # what was whole is not written anew
    assert (np.asarray(load(f"wds:{tmp_path / 's'}").pixels) == images.pixels).all()


def test_a_killed_packing_goes_on_and_ends_as_an_undisturbed_one(tmp_path: Path) -> None:
    np.save(tmp_path / "images.npy", arrays("uint8", 1, 3000))
    code = (
        "import sys\nfrom pathlib import Path\nfrom latentia.data.shards.packing import pack\n"
        "pack(sys.argv[1], Path(sys.argv[2]), images_per_shard=100, quiet=True)\n"
    )
    killed = 0
    for _ in range(2):
        process = subprocess.Popen([sys.executable, "-c", code, tmp_path / "images.npy", tmp_path / "cut"])
        begun = len(list((tmp_path / "cut").glob("*.tar")))
        while process.poll() is None and len(list((tmp_path / "cut").glob("*.tar"))) < begun + 5:
            time.sleep(0.002)
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
            killed += 1
        process.wait()
    assert killed and (tmp_path / "cut" / UNFINISHED).is_file()
    for name in ("cut", "whole"):
        subprocess.run([sys.executable, "-c", code, tmp_path / "images.npy", tmp_path / name], check=True)
    files = {
        name: {
            path.relative_to(tmp_path / name): path.read_bytes()
            for path in (tmp_path / name).rglob("*")
            if path.is_file()
        }
        for name in ("cut", "whole")
    }
    assert files["cut"] == files["whole"]


def test_two_at_once_in_one_folder_are_refused(tmp_path: Path) -> None:
    import fcntl

    images = load(arrays("uint8", 1))
    plan = packing._plan(packing.packables(images, "auto", True, {}), 10, 1 << 20, "auto")
    (tmp_path / UNFINISHED).write_text(json.dumps(plan))
    with (tmp_path / UNFINISHED).open() as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(UserError, match="another process packs into"):
            pack(images, tmp_path, images_per_shard=10, shard_size=1 << 20, quiet=True)


def test_a_file_that_changes_meanwhile_is_left_out_and_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "images").mkdir()
    for number in range(5):
        pixels = RANDOM.integers(0, 256, (8, 8), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / "images" / f"{number}.png")
    parts = packing.packables

    def then_broken(*args: Any) -> Any:
        found = parts(*args)
        (tmp_path / "images" / "2.png").write_bytes(b"gone")
        return found

    monkeypatch.setattr(packing, "packables", then_broken)
    packed = pack(tmp_path / "images", tmp_path / "s", quiet=True)
    assert (packed.images, packed.left_out) == (4, 1)
    assert "1 images could not be read and were left out: 2.png changed while it was packed" in packed.notes
    assert list(load(f"wds:{tmp_path / 's'}").names) == ["0.png", "1.png", "3.png", "4.png"]


def test_the_place_may_not_be_written(tmp_path: Path) -> None:
    if os.geteuid() == 0:
        target = tmp_path / "file"
        target.write_text("")
        with pytest.raises(StorageError, match="could not write"):
            pack(load(arrays("uint8", 1)), target / "s", quiet=True)
