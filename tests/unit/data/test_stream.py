"""Streams: every image once an epoch, in an order that depends on seed and epoch alone, whoever reads which part of it."""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from latentia import load
from latentia.core.errors import DamagedData, UserError
from latentia.core.launch import Launch
from latentia.data import stream, stream_batches
from latentia.data.batches import Batches
from latentia.data.load import set_aside
from latentia.data.shards.catalogue import Catalogue
from latentia.data.shards.packing import pack
from latentia.data.stream import ImageStream, Reach
from latentia.data.stream_batches import Order, StreamBatches

RANDOM = np.random.default_rng(0)
COUNT = 700


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder: Path = tmp_path_factory.mktemp("packed") / "shards"
    pixels = RANDOM.integers(0, 256, (COUNT, 6, 5), dtype=np.uint8)
    pack(load(pixels, labels=np.arange(COUNT) % 7), folder, images_per_shard=90, quiet=True)
    return folder


@pytest.fixture
def small_lanes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the constants small, so that 700 images have many lanes, chunks and windows."""
    monkeypatch.setattr(Catalogue, "reach", Reach(lanes=8, chunk=16, window=3))
    monkeypatch.setattr(stream_batches, "LANE_IMAGES", 50)


def images_of(shards: Path, split: str = "all") -> ImageStream:
    images = load(f"wds:{shards}", split)
    assert isinstance(images, ImageStream)
    return images


def ids(batches: Any) -> list[int]:
    return [number for batch in batches for number in batch.ids.tolist()]


@pytest.mark.usefixtures("small_lanes")
@pytest.mark.parametrize("split", ["all", "train", "validation"])
def test_every_image_comes_once_an_epoch_with_its_pixels_and_label(shards: Path, split: str) -> None:
    images = images_of(shards, split)
    known = images.select(np.arange(len(images)))
    row = {number: place for place, number in enumerate(known.ids.tolist())}
    batches = StreamBatches(images, images.format, 32, seed=1)
    seen = []
    for batch in batches.epoch(3):
        rows = [row[number] for number in batch.ids.tolist()]
        assert known.labels is not None
        assert batch.labels.tolist() == known.labels[rows].tolist()
        assert torch.equal(batch.pixels, torch.from_numpy(known.format.to_unit(known.pixels[rows])))
        seen += batch.ids.tolist()
    assert sorted(seen) == known.ids.tolist() and len(batches) == -(-len(images) // 32)


@pytest.mark.usefixtures("small_lanes")
def test_the_order_depends_on_seed_and_epoch_and_mixes_well(shards: Path) -> None:
    images = images_of(shards)
    orders = {
        key: ids(StreamBatches(images, images.format, 32, seed=key[0]).epoch(key[1]))
        for key in [(0, 0), (0, 1), (1, 0)]
    }
    assert orders[0, 0] == ids(StreamBatches(images, images.format, 32, seed=0).epoch(0))
    assert len({tuple(order) for order in orders.values()}) == 3
    for order in orders.values():
        batches = np.array(order[:672]).reshape(-1, 32)
        # a batch holds images from the whole of the set, not from a few shards: its mean is near the set's
        assert np.abs(batches.mean(1) - COUNT / 2).max() < 120
        assert abs(np.corrcoef(order, np.arange(COUNT))[0, 1]) < 0.2
    # and images are not met in the same company again
    first, second = (
        {frozenset(part) for part in np.array(orders[0, epoch][:640]).reshape(-1, 32).tolist()} for epoch in (0, 1)
    )
    assert max(len(a & b) for a in first for b in second) < 12


@pytest.mark.usefixtures("small_lanes")
@pytest.mark.parametrize("start", [1, 7, 21])
def test_an_epoch_that_is_taken_up_goes_on_with_the_very_images(shards: Path, start: int) -> None:
    images = images_of(shards)
    whole = [batch.ids.tolist() for batch in StreamBatches(images, images.format, 32, seed=0).epoch(2)]
    rest = [batch.ids.tolist() for batch in StreamBatches(images, images.format, 32, seed=0).epoch(2, start)]
    assert rest == whole[start:]


@pytest.mark.usefixtures("small_lanes")
@pytest.mark.parametrize("world", [2, 3, 8])
@pytest.mark.parametrize("seed", [0, None])
def test_ranks_together_read_the_batches_of_one(shards: Path, world: int, seed: int | None) -> None:
    images = images_of(shards)
    alone = [batch.ids.tolist() for batch in StreamBatches(images, images.format, 32, seed=seed)]
    ranks = [
        [
            b.ids[: b.counted].tolist()
            for b in StreamBatches(images, images.format, 32, "cpu", seed, Launch(rank, world))
        ]
        for rank in range(world)
    ]
    together = [[number for part in parts for number in part] for parts in zip(*ranks, strict=True)]
    assert together == alone


@pytest.mark.usefixtures("small_lanes")
def test_a_rank_reads_its_own_lanes_only(shards: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    images = images_of(shards)
    asked: list[int] = []
    pieces = Order.pieces

    def noted(self: Order, lane: int, chunk: int) -> Any:
        asked.append(lane)
        return pieces(self, lane, chunk)

    monkeypatch.setattr(Order, "pieces", noted)
    list(StreamBatches(images, images.format, 32, seed=0, place=Launch(1, 4)).epoch(0))
    assert set(asked) - {2, 3} <= {1} and asked.count(1) == 1  # the last batch is smaller, so it is divided elsewhere


def test_without_a_seed_the_order_is_that_of_the_shards(shards: Path) -> None:
    images = images_of(shards)
    assert ids(StreamBatches(images, images.format, 64)) == list(range(COUNT))
    in_memory = Batches(images.select(np.arange(COUNT)), images.format, 64)
    for one, other in zip(StreamBatches(images, images.format, 64), in_memory, strict=True):
        assert torch.equal(one.pixels, other.pixels) and torch.equal(one.labels, other.labels)


def test_reading_is_bounded(shards: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    images = images_of(shards)
    monkeypatch.setattr(Catalogue, "reach", Reach(chunk=16))
    submit, results = stream_batches.Reader.submit, 0
    largest = 0

    def counted(self: Any, pieces: Any) -> Any:
        nonlocal results
        results += 1
        return submit(self, pieces)

    monkeypatch.setattr(stream_batches.Reader, "submit", counted)
    for step, _ in enumerate(StreamBatches(images, images.format, 16)):
        largest = max(largest, results - step)
    assert largest <= 7  # chunks of one batch each: reading is a few ahead, and never all


def test_what_needs_more_than_fits_says_so(shards: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    images = images_of(shards)
    monkeypatch.setattr(stream, "IN_MEMORY", 1000)
    assert len(images.pixels[:30]) == 30
    with pytest.raises(UserError, match=r"streams its images, but this needs 700 of them in memory at once.*--split"):
        np.asarray(images.pixels)
    with pytest.raises(UserError, match="this needs 100 of them"):
        images.select(np.arange(100))
    assert len(images.sample(5000)) == 8
    assert sum(1 for _ in images) == COUNT  # one after another is no matter


def test_columns_answer_like_arrays(shards: Path) -> None:
    images = images_of(shards, "train")
    whole = np.asarray(images.pixels)
    some = np.array([5, 500, 3, 3, -1])
    assert (images.pixels[some] == whole[some]).all()
    assert (images.pixels[-1] == whole[-1]).all() and (images.pixels[2:9:3] == whole[2:9:3]).all()
    mask = np.asarray(images.labels) == 2
    assert (images.pixels[mask] == whole[mask]).all() and (images.pixels[4:6, 0] == whole[4:6, 0]).all()
    assert images.names[3] == f"{int(images.ids[3]):09d}" and images.names[1:3] == list(images.names)[1:3]
    chosen = images.select(some[:4])
    assert (chosen.pixels == whole[some[:4]]).all() and chosen.names[1] == images.names[500]
    assert "ImageStream" in repr(images)
    labels: Any = images.labels
    plain = np.asarray(labels)
    assert ((labels > 2) == (plain > 2)).all() and (labels != -1).all() and (labels + 1 == plain + 1).all()
    assert labels.max() == 6 and labels.tolist() == plain.tolist() and np.array_equal(np.unique(labels), np.arange(7))
    with pytest.raises(AttributeError, match="no attribute 'detach'"):
        _ = labels.detach


def test_reading_processes_give_the_same_and_a_killed_one_is_told(
    shards: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = images_of(shards)
    alone = ids(StreamBatches(images, images.format, 32, seed=0).epoch(0))
    monkeypatch.setenv("LATENTIA_READERS", "2")
    monkeypatch.setattr(Catalogue, "reach", Reach(chunk=16))
    few = StreamBatches(images, images.format, 32)
    assert ids(few) == list(range(COUNT))
    monkeypatch.undo()
    monkeypatch.setenv("LATENTIA_READERS", "1")
    assert ids(StreamBatches(images, images.format, 32, seed=0).epoch(0)) == alone

    monkeypatch.setattr(Catalogue, "reach", Reach(chunk=16))
    import multiprocessing

    earlier = {process.pid for process in multiprocessing.active_children()}
    reading = iter(StreamBatches(images, images.format, 16))
    next(reading)
    (worker,) = (process for process in multiprocessing.active_children() if process.pid not in earlier)
    assert worker.pid is not None
    os.kill(worker.pid, signal.SIGKILL)
    with pytest.raises(DamagedData, match=r"a process that reads shards was killed.*LATENTIA_READERS"):
        list(reading)
    monkeypatch.setenv("LATENTIA_READERS", "many")
    with pytest.raises(UserError, match="LATENTIA_READERS is 'many', but it is a number of processes"):
        next(iter(StreamBatches(images, images.format, 32)))


def test_reading_threads_end_with_the_batches(shards: Path) -> None:
    images = images_of(shards)
    batches = StreamBatches(images, images.format, 32)
    reading = batches.epoch(0)
    next(reading)
    del reading, batches
    for _ in range(100):
        if not any("ThreadPool" in thread.name for thread in threading.enumerate()):
            break
        time.sleep(0.01)
    assert not any("ThreadPool" in thread.name for thread in threading.enumerate())


def test_none_of_a_stream_is_set_aside_for_calibration(shards: Path) -> None:
    with pytest.raises(
        UserError, match="read in turn from shards, so none of its images can be set aside for calibration"
    ):
        set_aside(images_of(shards, "train"), 0.1)
