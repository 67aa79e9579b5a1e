"""How often a stream reads: rows of a split, tables, names and pixels once, however many images are asked for."""

from __future__ import annotations

import pickle
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from latentia import load
from latentia.core.errors import DamagedData
from latentia.data import stream, stream_batches
from latentia.data.kept import Kept
from latentia.data.load import all_but_test, mapped_pool, official_test_names, training_parts
from latentia.data.shards import catalogue
from latentia.data.shards import images as images_module
from latentia.data.shards.catalogue import Catalogue, Shard
from latentia.data.shards.packing import pack
from latentia.data.sources import wds
from latentia.data.stream import ImageStream
from latentia.data.stream_batches import StreamBatches
from latentia.presets import design
from latentia.training.initial import initial_model

RANDOM = np.random.default_rng(0)
COUNT, SHARDS = 360, 4


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder: Path = tmp_path_factory.mktemp("packed") / "shards"
    pixels = RANDOM.integers(0, 256, (COUNT, 6, 5), dtype=np.uint8)
    images = load(pixels, labels=np.arange(COUNT) % 7)
    named = type(images)(images.pixels, [f"image {n}" for n in range(COUNT)], images.ids, images.labels, images.classes)
    pack(named, folder, images_per_shard=COUNT // SHARDS, quiet=True)
    return folder


def images_of(shards: Path, split: str = "all") -> ImageStream:
    images = load(f"wds:{shards}", split)
    assert isinstance(images, ImageStream)
    return images


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> Callable[[Any, str], Counter[str]]:
    """Return what counts the calls of something under its name."""
    calls: Counter[str] = Counter()

    def count(where: Any, name: str) -> Counter[str]:
        original = getattr(where, name)

        def wrapped(*arguments: Any, **options: Any) -> Any:
            calls[name] += 1
            return original(*arguments, **options)

        monkeypatch.setattr(where, name, wrapped)
        return calls

    return count


def test_rows_tables_and_names_are_read_once_for_each_shard(
    shards: Path, counted: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "BLOCK", 8)
    counted(catalogue, "rows_of")
    counted(Shard, "members")
    calls = counted(Shard, "own_names")
    images = images_of(shards, "train")
    assert "labelled" in repr(images)  # the first look: the labels of all images, block by block
    chosen = images.select(np.arange(0, len(images), 3))
    assert list(images.names)[::3] == chosen.names
    assert calls == {"rows_of": SHARDS, "members": SHARDS, "own_names": SHARDS}


def test_what_is_kept_is_bounded_and_no_luggage() -> None:
    kept: Kept[int] = Kept(100)
    made: list[int] = []

    def get(key: int, size: int) -> int:
        return kept.get(key, lambda: made.append(key) or key, size)

    assert [get(key, 40) for key in (1, 2, 1, 3, 1)] == [1, 2, 1, 3, 1] and made == [1, 2, 3]
    assert get(2, 40) == 2 and made == [1, 2, 3, 2]  # the one that was not asked for longest went
    assert get(4, 1000) == 4 and get(4, 1000) == 4 and made[-1] == 4  # larger than all, and kept while it is the last
    assert get(1, 40) == 1 and made[-1] == 1
    assert pickle.loads(pickle.dumps(kept)).get(1, lambda: 7, 1) == 7


def test_a_reading_process_begins_without_what_was_kept(shards: Path) -> None:
    images = images_of(shards, "train")
    assert images.view is not None and isinstance(images.view.shards, Catalogue)
    before = len(pickle.dumps(images.view))
    images.select([0, 100, 200])
    assert len(pickle.dumps(images.view)) < before + 2000


def test_images_are_read_in_one_pass_and_no_more_of_them_than_is_used(
    shards: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[int, bool, bool]] = []
    piece = Catalogue.piece

    def noted(
        self: Catalogue,
        number: int,
        split: str,
        seed: int,
        start: int,
        stop: int,
        pixels: bool = True,
        names: bool = False,
    ) -> Any:
        asked.append((stop - start, pixels, names))
        return piece(self, number, split, seed, start, stop, pixels, names)

    monkeypatch.setattr(Catalogue, "piece", noted)
    images = images_of(shards)

    def seen(action: Callable[[], Any]) -> list[tuple[int, bool, bool]]:
        asked.clear()
        action()
        return list(asked)

    each = COUNT // SHARDS
    assert seen(lambda: images.select(np.arange(COUNT))) == [(each, True, True)] * SHARDS
    assert (
        seen(lambda: images.with_pixels(np.zeros((COUNT, 1, 2, 2), dtype=np.uint8))) == [(each, False, True)] * SHARDS
    )
    architecture = design("cae", {"latent_dim": 2}).architecture
    assert seen(lambda: initial_model(architecture, images, 0)) == [(each, True, False)] * SHARDS
    found, given = images.select([-1, 3, 3]), images.with_pixels(np.zeros((COUNT, 1, 2, 2), dtype=np.uint8))
    assert found.names == ["image 359", "image 3", "image 3"] and found.ids.tolist() == [359, 3, 3]
    assert given.names == [f"image {n}" for n in range(COUNT)] and (given.labels == np.arange(COUNT) % 7).all()


def test_a_stream_is_opened_once(shards: Path, tmp_path: Path, counted: Any) -> None:
    calls = counted(wds, "read_index")
    train, held = training_parts(f"wds:{shards}")
    assert calls["read_index"] == 1 and held is not None
    assert len(train) + len(held) == COUNT - len(load(f"wds:{shards}", "test"))
    for action in (all_but_test, official_test_names, mapped_pool):
        calls.clear()
        action(f"wds:{shards}")
        assert calls["read_index"] <= 1, action
    calls.clear()
    pack(f"wds:{shards}", tmp_path / "again", quiet=True)
    assert calls["read_index"] == 1


def test_packing_shards_anew_reads_and_decodes_each_image_once(shards: Path, tmp_path: Path, counted: Any) -> None:
    counted(images_module, "contents")
    counted(images_module, "digest_of")
    calls = counted(images_module, "pixels_of")
    pack(f"wds:{shards}", tmp_path / "again", quiet=True)
    assert calls == {"contents": SHARDS, "digest_of": COUNT, "pixels_of": COUNT}
    again = load(f"wds:{tmp_path / 'again'}")
    assert np.array_equal(np.asarray(again.pixels), np.asarray(images_of(shards).pixels))


def test_one_reader_serves_all_epochs_and_a_step_is_planned_once(shards: Path, counted: Any) -> None:
    images = images_of(shards)
    counted(stream_batches, "Reader")
    calls = counted(stream_batches.Order, "places")
    batches = StreamBatches(images, images.format, 32, seed=0)
    whole = [[batch.ids.tolist() for batch in batches.epoch(epoch)] for epoch in range(3)]
    assert calls == {"Reader": 1, "places": 3 * len(batches)}
    first = batches.epoch(1)
    assert [next(first).ids.tolist(), next(first).ids.tolist()] == whole[1][:2]  # one that is left in its midst
    del first
    assert [batch.ids.tolist() for batch in batches.epoch(2)] == whole[2] and calls["Reader"] == 1


def test_batches_are_read_again_after_a_damaged_shard_is_mended(shards: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(shards, tmp_path / "copy"))
    images = images_of(copy)
    batches = StreamBatches(images, images.format, 32, seed=0)
    whole = [batch.ids.tolist() for batch in batches]
    content = (copy / "000002.tar").read_bytes()
    (copy / "000002.tar").write_bytes(content[:2000])
    with pytest.raises(DamagedData, match="is cut off"):
        list(batches)
    (copy / "000002.tar").write_bytes(content)
    assert [batch.ids.tolist() for batch in batches] == whole
