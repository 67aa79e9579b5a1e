"""Batches of a stream: shuffled without random access, and resumable to the image.

The order of an epoch is a pure function of (seed, epoch) and of how many images each shard holds, in four steps: the shards are
shuffled; their images, one shard after another, form a sequence that begins at a random place; it is cut into lanes that are read
side by side; each lane is cut into chunks, whose order is shuffled within a window, as is the order of the images within a chunk.
Image ``p`` of the epoch comes from lane ``p mod lanes``, so each batch holds images from as many places as there are lanes, and
where it comes from can be computed without reading what is before it. See decision 9.
"""

from __future__ import annotations

import dataclasses
import functools
import os
import weakref
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future

import numpy as np
import numpy.typing as npt
import torch

from latentia.core.errors import DamagedData
from latentia.core.launch import ALONE, Launch
from latentia.core.noise import generator
from latentia.core.ranks import computed
from latentia.data.batches import Batch, Batches, as_tensor
from latentia.data.imageset import ImageSet, PixelFormat
from latentia.data.reading import Reader, result
from latentia.data.stream import ImageStream, Piece, View

LANE_IMAGES = 512  # the images that a lane should have at the least
BUFFER = 1 << 28  # bytes of pixels that the chunks of all lanes may take


@dataclasses.dataclass(frozen=True)
class Order:
    """The order of one epoch.

    Attributes:
        view: the images.
        seed: of the shuffle; ``None`` keeps the order.
        epoch: its number.
    """

    view: View
    seed: int | None
    epoch: int

    @functools.cached_property
    def lanes(self) -> int:
        """How many places are read side by side."""
        if self.seed is None:
            return 1
        lanes = self.view.shards.reach.lanes
        while lanes > 1 and lanes * LANE_IMAGES > len(self.view):
            lanes //= 2
        return lanes

    @functools.cached_property
    def chunk(self) -> int:
        """How many images are read together."""
        each = self.view.shards.format.nbytes
        return max(16, min(self.view.shards.reach.chunk, BUFFER // max(self.lanes, 4) // each))

    @functools.cached_property
    def _shards(self) -> npt.NDArray[np.int64]:
        """The shards in the order of this epoch."""
        count = len(self.view.counts)
        return np.arange(count) if self.seed is None else self._permutation(count, "shards")

    @functools.cached_property
    def _starts(self) -> npt.NDArray[np.int64]:
        """Where each of ``_shards`` begins in the sequence of all images, and its end."""
        return np.concatenate([[0], np.cumsum(self.view.counts[self._shards])]).astype(np.int64)

    @functools.cached_property
    def _turn(self) -> int:
        """The place in the sequence where the first lane begins."""
        if self.seed is None:
            return 0
        return int(torch.randint(max(len(self.view), 1), (), generator=generator(self.seed, "turn", self.epoch)))

    def length(self, lane: int) -> int:
        """Return how many images a lane has."""
        return (len(self.view) - lane + self.lanes - 1) // self.lanes

    def start(self, lane: int) -> int:
        """Return where a lane begins in the turned sequence."""
        whole, more = divmod(len(self.view), self.lanes)
        return lane * whole + min(lane, more)

    def places(self, positions: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.int64], ...]:
        """Return lane, chunk and place in the chunk of the images at ``positions`` of the epoch."""
        turn = positions // self.lanes
        return positions % self.lanes, turn // self.chunk, turn % self.chunk

    def span(self, lane: int, chunk: int) -> tuple[int, int]:
        """Return where a lane's chunk (the one read as number ``chunk``) begins and ends in the lane."""
        length = self.length(lane)
        full = length // self.chunk
        if chunk < full and self.seed is not None:  # the rest of a lane, less than a chunk, comes last
            width = self.view.shards.reach.window
            window = chunk // width
            begin = window * width
            mixed = self._permutation(min(width, full - begin), "window", lane, window)
            chunk = begin + int(mixed[chunk - begin])
        return chunk * self.chunk, min((chunk + 1) * self.chunk, length)

    def mixed(self, lane: int, chunk: int) -> npt.NDArray[np.int64]:
        """Return the order of the images within a chunk."""
        begin, end = self.span(lane, chunk)
        return np.arange(end - begin) if self.seed is None else self._permutation(end - begin, "chunk", lane, chunk)

    def pieces(self, lane: int, chunk: int) -> list[tuple[int, int, int]]:
        """Return ``(shard, start, stop)`` for what a chunk is read from, in the order of its images."""
        begin, end = self.span(lane, chunk)
        total, found = len(self.view), []
        place, left = (self.start(lane) + begin + self._turn) % max(total, 1), end - begin
        while left:
            number = int(np.searchsorted(self._starts, place, side="right")) - 1
            first = int(self._starts[number])
            stop = min(place + left, int(self._starts[number + 1]))
            found.append((int(self._shards[number]), place - first, stop - first))
            left -= stop - place
            place = stop % total
        return found

    def _permutation(self, count: int, *address: int | str) -> npt.NDArray[np.int64]:
        assert self.seed is not None  # a developer's invariant: an order that is kept has no permutations
        drawn: npt.NDArray[np.int64] = torch.randperm(
            count, generator=generator(self.seed, "stream", self.epoch, *address)
        ).numpy()
        return drawn


@dataclasses.dataclass(frozen=True)
class _Chunk:
    waiting: Future[Piece]
    mixed: npt.NDArray[np.int64]  # the order of its images


@dataclasses.dataclass(frozen=True)
class _Step:
    """Which images one batch takes, from the chunks ``needed``: of ``total``, those that this process computes."""

    total: int
    lanes: npt.NDArray[np.int64]
    chunks: npt.NDArray[np.int64]
    within: npt.NDArray[np.int64]  # places in the chunks
    needed: list[tuple[int, int]]  # lane and chunk, in rising order


class StreamBatches(Batches):
    """The batches of a stream, in order, or shuffled anew for each epoch; see the head of this file.

    Args:
        images: the stream.
        pixel_format: which pixel values stand for 0 and 1.
        batch_size: images a batch, over all ranks; the last may be smaller.
        device: where the batches are wanted.
        seed: the seed of the shuffle; ``None`` keeps the order.
        place: which of the processes this is that share each batch. Images of a batch are in the order of their lanes, so
            that each reads its own lanes only, where the number of lanes divides by that of the processes.
    """

    def __init__(
        self,
        images: ImageStream,
        pixel_format: PixelFormat,
        batch_size: int,
        device: torch.device | str = "cpu",
        seed: int | None = None,
        place: Launch = ALONE,
    ) -> None:
        assert images.view is not None  # a developer's invariant: made by `ImageStream.of`
        self.images, self.format = images, pixel_format
        self.batch_size, self.seed = batch_size, seed
        self.device = torch.device(device)
        self.place = place
        self.view = images.view
        self._reader: Reader | None = None

    def epoch(self, epoch: int, start: int = 0) -> Iterator[Batch]:
        """Yield the batches of ``epoch``, from the batch numbered ``start`` on.

        Raises:
            DamagedData: a shard, or an image in it, cannot be read, or a reader died.
        """
        order = Order(self.view, self.seed, epoch)
        ahead = order.lanes * order.chunk // self.batch_size + 4  # steps that reading is ahead: a chunk of every lane
        chunks: dict[tuple[int, int], _Chunk] = {}
        newest: dict[int, int] = {}
        planned: deque[_Step] = deque()
        try:
            for step in range(start, len(self)):
                for number in range(step + len(planned), min(step + ahead, len(self))):
                    planned.append(self._planned(order, number))
                    for lane, chunk in planned[-1].needed:
                        if (lane, chunk) not in chunks:
                            waiting = self._reading().submit(order.pieces(lane, chunk))
                            chunks[lane, chunk] = _Chunk(waiting, order.mixed(lane, chunk))
                now = planned.popleft()
                batch = self._batch(now, chunks)
                newest.update(now.needed)
                for lane, chunk in [key for key in chunks if key[1] < newest.get(key[0], 0)]:
                    del chunks[lane, chunk]
                yield batch
        except DamagedData:  # whatever else reads may be gone as well
            self._end_reader()
            raise
        finally:
            for left in chunks.values():
                left.waiting.cancel()

    def _reading(self) -> Reader:
        """Return what reads: made once, for a process that reads takes longer to start than a small epoch."""
        if self._reader is None or self._reader.process != os.getpid():
            self._reader = Reader(self.view)
            weakref.finalize(self, self._reader.end)
        return self._reader

    def _end_reader(self) -> None:
        if self._reader is not None:
            self._reader.end()
            self._reader = None

    def _planned(self, order: Order, step: int) -> _Step:
        whole = np.arange(step * self.batch_size, min((step + 1) * self.batch_size, self.count))
        whole = whole[np.argsort(whole % order.lanes, kind="stable")]
        own = whole[computed(self.place, len(whole))]
        lanes, numbers, within = order.places(own)
        needed = sorted(set(zip(lanes.tolist(), numbers.tolist(), strict=True)))
        return _Step(len(whole), lanes, numbers, within, needed)

    def _batch(self, step: _Step, chunks: dict[tuple[int, int], _Chunk]) -> Batch:
        count, kind = len(step.lanes), self.view.shards.format
        pixels = np.empty((count, *kind.shape), dtype=kind.dtype)
        ids, labels = np.empty(count, dtype=np.int64), np.empty(count, dtype=np.int64)
        for lane, number in step.needed:
            rows = np.flatnonzero((step.lanes == lane) & (step.chunks == number))
            piece = result(chunks[lane, number].waiting)
            taken = chunks[lane, number].mixed[step.within[rows]]
            pixels[rows], ids[rows], labels[rows] = piece.pixels[taken], piece.ids[taken], piece.labels[taken]
        stored = as_tensor(pixels).to(self.device, non_blocking=True)
        return self._as_batch(stored, torch.from_numpy(labels), torch.from_numpy(ids), step.total)


def batches_of(
    images: ImageSet,
    pixel_format: PixelFormat,
    batch_size: int,
    device: torch.device | str = "cpu",
    seed: int | None = None,
    place: Launch = ALONE,
) -> Batches:
    """Return the batches of images that are in memory or mapped, or of a stream; arguments as for :class:`Batches`."""
    kind = StreamBatches if isinstance(images, ImageStream) else Batches
    return kind(images, pixel_format, batch_size, device, seed, place)  # type: ignore[arg-type]
