"""Data sets of Hugging Face's library, from folders on this machine: no test asks the network."""

from __future__ import annotations

import io
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from latentia import load
from latentia.core.errors import DamagedData, UserError
from latentia.data.shards.packing import pack
from latentia.data.stream import ImageStream
from latentia.data.stream_batches import StreamBatches

parquet = pytest.importorskip("pyarrow.parquet", reason="pyarrow is not installed: pip install 'latentia[parquet]'")
pytest.importorskip("datasets", reason="datasets is not installed: pip install 'latentia[hf]'")

RANDOM = np.random.default_rng(0)


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import datasets

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", str(tmp_path / "hf-cache"))


def png(pixels: np.ndarray[Any, Any]) -> bytes:
    written = io.BytesIO()
    Image.fromarray(pixels).save(written, "PNG")
    return written.getvalue()


def write(folder: Path, name: str, contents: list[bytes]) -> None:
    """Write a Parquet file as the library does: bytes and path of each image, and a class label."""
    import json

    import pyarrow as pa

    (folder / "data").mkdir(parents=True, exist_ok=True)
    kinds = {"image": {"_type": "Image"}, "label": {"names": ["a", "b", "c"], "_type": "ClassLabel"}}
    image = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    schema = pa.schema([("image", image), ("label", pa.int64())])
    schema = schema.with_metadata({"huggingface": json.dumps({"info": {"features": kinds}})})
    rows = [{"bytes": content, "path": None} for content in contents]
    labels = [number % 3 for number in range(len(contents))]
    table = pa.Table.from_arrays([pa.array(rows, image), pa.array(labels)], schema=schema)
    parquet.write_table(table, folder / "data" / name, row_group_size=40)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    pixels = RANDOM.integers(0, 256, (420, 8, 7), dtype=np.uint8)
    np.save(tmp_path / "pixels.npy", pixels)
    for shard in range(3):
        part = pixels[shard * 120 : (shard + 1) * 120]
        write(tmp_path / "set", f"train-{shard:05d}-of-00003.parquet", [png(each) for each in part])
    write(tmp_path / "set", "test-00000-of-00001.parquet", [png(each) for each in pixels[360:]])
    return tmp_path / "set"


def test_parquet_files_stream_with_labels_and_parts(folder: Path) -> None:
    pixels = np.load(folder.parent / "pixels.npy")[:, None]
    images = load(f"hf:{folder}", quiet=True)
    assert isinstance(images, ImageStream) and images.classes == ("a", "b", "c") and len(images) == 420
    at = {number: row for row, number in enumerate(np.asarray(images.ids).tolist())}
    assert sorted(at) == list(range(420))
    assert {image.tobytes() for image in images} == {image.tobytes() for image in pixels}
    test, train, held = (load(f"hf:{folder}", split, quiet=True) for split in ("test", "train", "validation"))
    assert (np.asarray(test.pixels) == pixels[360:]).all()
    assert len(train) + len(held) == 360 and len(held) > 10
    assert np.asarray(test.labels).tolist() == [number % 3 for number in range(60)]
    one = load(f"hf:{folder}:test", quiet=True)
    assert (np.asarray(one.pixels) == pixels[360:]).all()
    some = np.array([70, 3, 200])
    assert (train.select(some).pixels == np.asarray(train.pixels)[some]).all()


def test_epochs_are_shuffled_and_taken_up_to_the_image(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from latentia.data import hub, stream_batches

    monkeypatch.setattr(hub.HubShards, "reach", hub.Reach(lanes=4, chunk=16, window=1, side_by_side=False))
    monkeypatch.setattr(stream_batches, "LANE_IMAGES", 50)
    images: Any = load(f"hf:{folder}", "train", quiet=True)
    known = images.select(np.arange(len(images)))
    row = {number: place for place, number in enumerate(known.ids.tolist())}

    def batches(epoch: int, start: int = 0) -> list[list[int]]:
        found = []
        for batch in StreamBatches(images, images.format, 32, seed=0).epoch(epoch, start):
            rows = [row[number] for number in batch.ids.tolist()]
            assert np.array_equal(batch.pixels.numpy(), known.format.to_unit(known.pixels[rows]))
            assert batch.labels.tolist() == known.labels[rows].tolist()
            found.append(batch.ids.tolist())
        return found

    whole = batches(0)
    assert sorted(sum(whole, start=[])) == sorted(row)  # noqa: RUF017
    assert batches(1) != whole and batches(0, 4) == whole[4:]


def test_a_folder_of_images_and_packing(tmp_path: Path) -> None:
    for part, count in (("train", 8), ("test", 4)):
        for number in range(count):
            place = tmp_path / "set" / part / "ab"[number % 2]
            place.mkdir(parents=True, exist_ok=True)
            (place / f"{number}.png").write_bytes(png(RANDOM.integers(0, 256, (6, 6, 3), dtype=np.uint8)))
    images = load(f"hf:{tmp_path / 'set'}", "test", quiet=True)
    assert images.pixels.shape == (4, 3, 6, 6) and images.classes == ("a", "b")
    packed = pack(f"hf:{tmp_path / 'set'}:train", tmp_path / "shards", quiet=True)
    assert packed.images == 8
    read = load(f"wds:{tmp_path / 'shards'}")
    assert (np.asarray(read.pixels) == np.asarray(load(f"hf:{tmp_path / 'set'}:train", quiet=True).pixels)).all()
    assert read.classes == ("a", "b") and sorted(np.asarray(read.labels).tolist()) == [0] * 4 + [1] * 4


def test_official_parts_are_packed_apart(folder: Path, tmp_path: Path) -> None:
    extra = [png(RANDOM.integers(0, 256, (8, 7), dtype=np.uint8)) for _ in range(5)]
    write(folder, "extra-00000-of-00001.parquet", extra)
    packed = pack(f"hf:{folder}", tmp_path / "shards", quiet=True)
    assert packed.images == len(load(f"hf:{folder}", quiet=True))
    pixels = np.load(folder.parent / "pixels.npy")[:, None]
    test = load(f"wds:{tmp_path / 'shards'}", "test")
    assert {each.tobytes() for each in pixels[360:]} <= {each.tobytes() for each in test}


def test_what_cannot_be_read_is_one_sentence(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"has no split 'extra' \(its splits: .*train"):
        load(f"hf:{folder}:extra", quiet=True)
    with pytest.raises(UserError, match=r"the folder '/nowhere/at/all' of .* does not exist"):
        load("hf:/nowhere/at/all", quiet=True)
    with pytest.raises(UserError, match="names no data set: write hf:OWNER/NAME"):
        load("hf:", quiet=True)
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match=r"cannot be read: .*doesn't contain any data files"):
        load(f"hf:{tmp_path / 'empty'}", quiet=True)
    (tmp_path / "text").mkdir()
    import pyarrow as pa

    parquet.write_table(pa.table({"x": [1], "y": [2]}), tmp_path / "text" / "a.parquet")
    with pytest.raises(UserError, match=r"has no column of images \(its columns: x, y\)"):
        load(f"hf:{tmp_path / 'text'}", quiet=True)


def test_an_unreadable_image_and_a_shard_that_shrank_are_named(tmp_path: Path) -> None:
    contents = [png(RANDOM.integers(0, 256, (5, 5), dtype=np.uint8)) for _ in range(60)]
    write(tmp_path / "set", "train-00000-of-00001.parquet", [*contents[:50], b"no image", *contents[51:]])
    images = load(f"hf:{tmp_path / 'set'}", quiet=True)
    assert len(images.pixels[:50]) == 50
    with pytest.raises(DamagedData, match=r"the image 50 of shard 0 of hf:.*set \(train\) is no image"):
        np.asarray(images.pixels)
    result = pack(f"hf:{tmp_path / 'set'}", tmp_path / "mended", quiet=True)
    assert (result.images, result.left_out) == (59, 1)
    write(tmp_path / "set", "train-00000-of-00001.parquet", contents[:20])
    with pytest.raises(DamagedData, match=r"ends after 20 images, but 60 were counted|cannot be read"):
        load(f"hf:{tmp_path / 'set'}", quiet=True) and np.asarray(images.pixels)


def test_the_fingerprint_is_that_of_the_files_wherever_they_lie(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import datasets

    before = [load(f"hf:{folder}", split, quiet=True).fingerprint for split in ("train", "test")]
    elsewhere = Path(shutil.copytree(folder, tmp_path / "elsewhere" / "moved"))
    for path in elsewhere.rglob("*.parquet"):
        os.utime(path, (0, 0))
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", str(tmp_path / "other-cache"))
    there = [load(f"hf:{elsewhere}", split, quiet=True).fingerprint for split in ("train", "test")]
    assert there == before and before[0] != before[1]
    assert load(f"hf:{elsewhere}:test", quiet=True).fingerprint not in before
    write(elsewhere, "test-00000-of-00001.parquet", [png(np.zeros((8, 7), dtype=np.uint8))] * 60)
    assert load(f"hf:{elsewhere}", "train", quiet=True).fingerprint not in before


@pytest.mark.parametrize("call", ["as_streaming_dataset", "take"])
def test_what_the_library_raises_while_it_opens_is_one_sentence(
    folder: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    import datasets

    def fails(*arguments: Any, **options: Any) -> Any:
        raise ConnectionError("the line\nis dead")

    where: Any = datasets.DatasetBuilder if call == "as_streaming_dataset" else datasets.IterableDataset
    monkeypatch.setattr(where, call, fails)
    monkeypatch.setattr(datasets.IterableDataset, "features", None)
    with pytest.raises(UserError, match=r"hf:.*set cannot be read: the line is dead"):
        load(f"hf:{folder}", quiet=True)
