"""Batches: from stored pixels to float32 in [0, 1] on the device, by index, without a worker process between.

Pixels that are in memory are gathered there (on the GPU when they fit); memory-mapped ones are read by a thread that runs
ahead. The order of an epoch is a pure function of (seed, epoch).
"""

from __future__ import annotations

import dataclasses
import itertools
import mmap
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from latentia.core.launch import ALONE, Launch
from latentia.core.noise import generator
from latentia.core.ranks import computed
from latentia.data.imageset import ImageSet, PixelFormat
from latentia.data.rows import is_on_disk

GPU_SHARE = 0.5  # of the free memory that resident pixels may take
AT_ONCE = 2**20  # bytes that are read ahead from a file in its own order


@dataclasses.dataclass(frozen=True)
class Batch:
    """Some images on the device.

    Attributes:
        pixels: float32 ``[B, C, H, W]`` in [0, 1].
        labels: int64 ``[B]``, -1 where unlabelled.
        ids: int64 ``[B]``.
        total: the images of the whole batch, of which other processes may hold others; ``None``: it is all here.
        counted: how many of the rows count, from the first; ``None``: all.
    """

    pixels: Tensor
    labels: Tensor
    ids: Tensor
    total: int | None = None
    counted: int | None = None

    def __len__(self) -> int:
        """Return the number of images in the whole batch."""
        return len(self.ids) if self.total is None else self.total


@dataclasses.dataclass(frozen=True)
class _Rows:
    own: Tensor  # positions of images, int64
    total: int  # of the whole batch


class Batches:
    """The batches of an image set, in order, or shuffled anew for each epoch.

    Args:
        images: the images.
        pixel_format: which pixel values stand for 0 and 1.
        batch_size: images a batch; the last may be smaller.
        device: where the batches are wanted.
        seed: the seed of the shuffle; ``None`` keeps the order.
        place: which of the processes this is that share each batch.
    """

    def __init__(
        self,
        images: ImageSet,
        pixel_format: PixelFormat,
        batch_size: int,
        device: torch.device | str = "cpu",
        seed: int | None = None,
        place: Launch = ALONE,
    ) -> None:
        self.images, self.format, self.place = images, pixel_format, place
        self.batch_size, self.seed = batch_size, seed
        self.device = torch.device(device)
        self.ids = torch.from_numpy(np.ascontiguousarray(images.ids))
        unlabelled = torch.full((1,), -1).expand(len(images))  # one number, however many images
        self.labels = unlabelled if images.labels is None else torch.from_numpy(np.ascontiguousarray(images.labels))
        self.home = torch.device("cpu")  # where pixels, labels and ids lie, and batches are gathered
        self._gather = self._choose_gather()

    @property
    def count(self) -> int:
        """The number of images shown in an epoch."""
        return len(self.images)

    def __len__(self) -> int:
        """Return the number of batches in an epoch."""
        return -(-len(self.images) // self.batch_size)

    def __iter__(self) -> Iterator[Batch]:
        return self.epoch(0)

    def epoch(self, epoch: int, start: int = 0) -> Iterator[Batch]:
        """Yield the batches of ``epoch``, from the batch numbered ``start`` on."""
        labels, ids = self.labels.to(self.home), self.ids.to(self.home)
        for rows, pixels in self._own(self._wholes(epoch, start)):
            yield self._as_batch(pixels, labels[rows.own], ids[rows.own], rows.total)

    def order(self, epoch: int) -> Tensor:
        """Return the positions of the images in the order of ``epoch``, int64 ``[N]``."""
        if self.seed is None:
            return torch.arange(len(self.images))
        return torch.randperm(len(self.images), generator=generator(self.seed, "shuffle", epoch))

    def to_unit(self, stored: Tensor) -> Tensor:
        """Return stored pixels, uint8, int16 (the bits of uint16) or float32, as float32 in [0, 1]."""
        if stored.dtype == torch.int16:
            unit = stored.to(torch.int32).bitwise_and_(0xFFFF).to(torch.float32)
        else:
            unit = stored.to(torch.float32, copy=True)
        if self.format.low:
            unit -= self.format.low
        return unit.mul_(1.0 / (self.format.high - self.format.low))

    def _wholes(self, epoch: int, start: int) -> Iterator[Tensor]:
        """Yield the positions of the images of each whole batch, in order made as they are asked for: they may be very many."""
        if self.seed is not None:
            yield from torch.split(self.order(epoch).to(self.home), self.batch_size)[start:]
            return
        for first in range(start * self.batch_size, len(self.images), self.batch_size):
            yield torch.arange(first, min(first + self.batch_size, len(self.images)), device=self.home)

    def _own(self, batches: Iterable[Tensor]) -> Iterator[tuple[_Rows, Tensor]]:
        """Yield for each whole batch of positions those that this process computes, and their stored pixels."""
        return self._gather(_Rows(whole[computed(self.place, len(whole))], len(whole)) for whole in batches)

    def _as_batch(self, stored: Tensor, labels: Tensor, ids: Tensor, total: int) -> Batch:
        share = self.place.share(total)
        return Batch(
            pixels=self.to_unit(stored),
            labels=labels.to(self.device, non_blocking=True),
            ids=ids.to(self.device, non_blocking=True),
            total=total,
            counted=share.stop - share.start,
        )

    def _choose_gather(self) -> Callable[[Iterator[_Rows]], Iterator[tuple[_Rows, Tensor]]]:
        if is_on_disk(self.images.pixels):
            return self._from_disk
        resident = as_tensor(self.images.pixels)
        if self.device.type == "cuda" and resident.nbytes < GPU_SHARE * torch.cuda.mem_get_info(self.device)[0]:
            # all of it lies there, so that a batch is gathered without a word between processor and GPU
            resident, self.home = resident.to(self.device), self.device
        flat = resident.flatten(1)
        shape = resident.shape[1:]

        def gather(batches: Iterator[_Rows]) -> Iterator[tuple[_Rows, Tensor]]:
            for rows in batches:
                found = flat.index_select(0, rows.own)
                yield rows, found.view(len(rows.own), *shape).to(self.device, non_blocking=True)

        return gather

    def _from_disk(self, batches: Iterator[_Rows]) -> Iterator[tuple[_Rows, Tensor]]:
        pixels: Any = self.images.pixels
        in_order = self.seed is None and hasattr(mmap, "MADV_DONTNEED") and getattr(pixels, "mode", "") == "r"
        # batches that are read at once: where they lie side by side the reader seldom gets in the way of what computes
        alone = in_order and self.place == ALONE
        count = max(1, AT_ONCE // max(1, self.batch_size * pixels[:1].nbytes)) if alone else 1

        def read(some: list[_Rows]) -> list[Tensor]:
            if in_order:
                first = int(some[0].own[0])
                together = as_tensor(np.array(pixels[first : int(some[-1].own[-1]) + 1]))
                # what was read is not read again: without this the whole file would stand in memory at the end
                pixels._mmap.madvise(mmap.MADV_DONTNEED)
                return [together[int(rows.own[0]) - first : int(rows.own[-1]) + 1 - first] for rows in some]
            # in rising order the disk reads forwards; then back to the order that was asked for
            places = some[0].own.numpy()
            order = np.argsort(places)
            found = np.empty((len(places), *pixels.shape[1:]), dtype=pixels.dtype)
            found[order] = pixels[places[order]]
            return [as_tensor(found)]

        pieces = iter(lambda: list(itertools.islice(batches, count)), [])
        with ThreadPoolExecutor(max_workers=1) as reader:
            some = next(pieces, [])
            ahead = reader.submit(read, some) if some else None
            while ahead is not None:
                found, following = ahead.result(), next(pieces, [])
                ahead = reader.submit(read, following) if following else None
                for rows, stored in zip(some, found, strict=True):
                    yield rows, stored.to(self.device, non_blocking=True)
                some = following


def as_tensor(pixels: npt.NDArray[Any]) -> Tensor:
    """Return stored pixels as a tensor: uint8, int16 (the bits of uint16) or float32."""
    array = np.ascontiguousarray(pixels)
    if not array.flags.writeable:
        array = array.copy()
    return torch.from_numpy(array.view(np.int16) if array.dtype == np.uint16 else array)
