"""ImageStream: an ImageSet whose images are read from shards when they are asked for, and never all at once.

It stands wherever an ImageSet stands. What goes through its images in turn (training, `embed`, `evaluate`) reads them batch by
batch (:class:`latentia.data.stream_batches.StreamBatches`); what asks for a few gets them; what asks for more than fit into
``IN_MEMORY`` gets one sentence that says so.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterator, Sequence
from typing import Any, Protocol, Self, cast

import numpy as np
import numpy.typing as npt

from latentia.core.errors import UserError
from latentia.data.imageset import ImageSet, PixelFormat
from latentia.data.splits import SPLIT_SEED

IN_MEMORY = 1 << 30  # bytes of pixels that are read at once
BLOCK = 1024  # images that are read together when something goes through them in order


@dataclasses.dataclass(frozen=True)
class Reach:
    """How far from one another, and in which order, pieces of shards may be read.

    Attributes:
        lanes: the most places that may be read side by side: a power of two, so that ranks share them out.
        chunk: the most images that are read together.
        window: chunks that may be read in any order; 1 where a shard is read forwards only.
        side_by_side: whether several threads or processes may read at once.
    """

    lanes: int = 64
    chunk: int = 256
    window: int = 64
    side_by_side: bool = True


class Shards(Protocol):
    """Where a stream's images come from: shards, each with its images in a fixed order."""

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences a person should see."""

    @property
    def format(self) -> PixelFormat:
        """The images' pixel format; integers span their dtype."""

    @property
    def classes(self) -> tuple[str, ...]:
        """The name of each label."""

    @property
    def labelled(self) -> bool:
        """Whether images have labels."""

    @property
    def reach(self) -> Reach:
        """How pieces may be asked for."""

    @property
    def official(self) -> frozenset[str]:
        """The official parts that there are."""

    def of_part(self, part: str) -> Shards:
        """Return the shards of one official part, which are then all there is."""

    def counts(self, split: str, seed: int) -> npt.NDArray[np.int64]:
        """Return how many images of a split are in each shard, int64 ``[S]``."""

    def piece(
        self, number: int, split: str, seed: int, start: int, stop: int, pixels: bool = True, names: bool = False
    ) -> Piece:
        """Return the images of a split in shard ``number`` from place ``start`` to ``stop``.

        Raises:
            DamagedData: the shard, or an image in it, cannot be read.
        """

    def fingerprint(self, split: str, seed: int) -> str:
        """Return a hash that changes when images, their order, their labels or the split do."""


@dataclasses.dataclass(frozen=True)
class Piece:
    """Some images of one shard: pixels ``[N, C, H, W]``, ids, labels (-1: none) and names.

    ``pixels`` and ``names`` are empty where they were not asked for.
    """

    pixels: npt.NDArray[Any]
    ids: npt.NDArray[np.int64]
    labels: npt.NDArray[np.int64]
    names: list[str]


NO_PIXELS: npt.NDArray[Any] = np.empty((0, 0, 0, 0), dtype=np.uint8)


@dataclasses.dataclass(frozen=True)
class View:
    """The images of one split, in the order of the shards.

    Attributes:
        shards: where they come from.
        split, seed: which of them.
    """

    shards: Shards
    split: str
    seed: int

    @functools.cached_property
    def counts(self) -> npt.NDArray[np.int64]:
        """How many images are in each shard, int64 ``[S]``."""
        return self.shards.counts(self.split, self.seed)

    @functools.cached_property
    def starts(self) -> npt.NDArray[np.int64]:
        """The place of each shard's first image, and of the end, int64 ``[S + 1]``."""
        return np.concatenate([[0], np.cumsum(self.counts)]).astype(np.int64)

    def __len__(self) -> int:
        return int(self.starts[-1])

    def place_of(self, place: int) -> tuple[int, int]:
        """Return the shard of the image at ``place``, and where it stands among those of this split there."""
        number = int(np.searchsorted(self.starts, place, side="right")) - 1
        return number, place - int(self.starts[number])

    def span(self, start: int, stop: int, pixels: bool = True, names: bool = False) -> Iterator[Piece]:
        """Yield the images from place ``start`` to ``stop``, a piece from each shard."""
        number = int(np.searchsorted(self.starts, start, side="right")) - 1
        while start < stop:
            end = min(stop, int(self.starts[number + 1]))
            if end > start:
                first = int(self.starts[number])
                yield self.shards.piece(number, self.split, self.seed, start - first, end - first, pixels, names)
            start, number = max(start, end), number + 1

    def at(
        self, places: npt.NDArray[np.int64], pixels: bool = True, names: bool = False
    ) -> Iterator[tuple[npt.NDArray[np.int64], Piece]]:
        """Yield pieces and where their images stand in ``places``; what lies side by side is read together."""
        order = np.argsort(places, kind="stable")
        ordered = places[order]
        breaks = np.flatnonzero(np.diff(ordered) != 1) + 1
        for begin, end in zip([0, *breaks], [*breaks, len(ordered)], strict=True):
            while begin < end:
                stop = min(begin + BLOCK, end)
                taken = begin
                for piece in self.span(int(ordered[begin]), int(ordered[stop - 1]) + 1, pixels, names):
                    yield order[taken : taken + len(piece.ids)], piece
                    taken += len(piece.ids)
                begin = stop


class Column(np.lib.mixins.NDArrayOperatorsMixin):
    """One field of all images, read when it is asked for; it stands where an array ``[N, ...]`` stands.

    ``[...]`` takes what NumPy takes, and reads no more than that; comparisons and the methods of arrays read all of it.
    """

    def __init__(self, view: View, field: str, shape: tuple[int, ...], dtype: Any, source: str) -> None:
        self._view, self._field, self._source = view, field, source
        self.shape, self.dtype, self.ndim = (len(view), *shape), np.dtype(dtype), 1 + len(shape)

    def __len__(self) -> int:
        return self.shape[0]

    def __iter__(self) -> Iterator[Any]:
        for start in range(0, len(self), BLOCK):
            for piece in self._view.span(start, min(start + BLOCK, len(self)), self._field == "pixels"):
                yield from getattr(piece, self._field)

    def __getitem__(self, which: Any) -> Any:
        if isinstance(which, int | np.integer):
            place = int(which) + (len(self) if which < 0 else 0)
            if not 0 <= place < len(self):
                raise IndexError(which)
            return self._gather(np.array([place]))[0]
        if isinstance(which, tuple):
            return self[which[0]][(slice(None), *which[1:])]
        if isinstance(which, slice):
            return self._gather(np.arange(*which.indices(len(self)), dtype=np.int64))
        return self._gather(_places(which, len(self)))

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> npt.NDArray[Any]:
        found = self[:]
        return np.asarray(found) if dtype is None else np.asarray(found, dtype=dtype)

    def __array_ufunc__(self, function: Any, method: str, *inputs: Any, **options: Any) -> Any:
        plain = [np.asarray(value) if isinstance(value, Column) else value for value in inputs]
        return getattr(function, method)(*plain, **options)

    def __getattr__(self, name: str) -> Any:
        # what else an array can do (max, tolist, mean …), the values read for it
        if name.startswith("_") or not hasattr(np.ndarray, name):
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        return getattr(np.asarray(self), name)

    def _gather(self, places: npt.NDArray[np.int64]) -> npt.NDArray[Any]:
        each = int(np.prod(self.shape[1:], dtype=np.int64)) * self.dtype.itemsize
        _check_room(self._source, len(places), each)
        out = np.empty((len(places), *self.shape[1:]), dtype=self.dtype)
        for where, piece in self._view.at(places, self._field == "pixels"):
            out[where] = getattr(piece, self._field)
        return out


class Names(Sequence[str]):
    """The names of all images, read when they are asked for."""

    def __init__(self, view: View) -> None:
        self._view = view
        self._block: tuple[int, list[str]] = (0, [])

    def __len__(self) -> int:
        return len(self._view)

    def __iter__(self) -> Iterator[str]:
        for start in range(0, len(self), BLOCK):
            yield from self._read(start)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return [self[place] for place in range(*index.indices(len(self)))]
        place = int(index) + (len(self) if index < 0 else 0)
        if not 0 <= place < len(self):
            raise IndexError(index)
        start, block = self._block
        if not start <= place < start + len(block):
            start = place - place % BLOCK
            block = self._read(start)
            self._block = start, block
        return block[place - start]

    def _read(self, start: int) -> list[str]:
        stop = min(start + BLOCK, len(self))
        return [name for piece in self._view.span(start, stop, pixels=False, names=True) for name in piece.names]


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class ImageStream(ImageSet):
    """Images that are read from shards when they are asked for. Made by :meth:`of`.

    Attributes:
        view: where its images come from.
    """

    view: View | None = None

    @classmethod
    def of(cls, shards: Shards, source: str, split: str = "all", seed: int = SPLIT_SEED) -> Self:
        """Return the images of ``split``."""
        view = View(shards, split, seed)
        kind = shards.format
        pixels = Column(view, "pixels", kind.shape, kind.dtype, source)
        return cls(
            pixels=cast(Any, pixels),
            names=Names(view),
            ids=cast(Any, Column(view, "ids", (), np.int64, source)),
            labels=cast(Any, Column(view, "labels", (), np.int64, source)) if shards.labelled else None,
            classes=shards.classes,
            source=source,
            split=split,
            notes=shards.notes,
            view=view,
        )

    def part(self, split: str, seed: int = SPLIT_SEED) -> Self:
        """Return the images of another split of the same shards."""
        assert self.view is not None  # a developer's invariant: made by `of`
        return type(self).of(self.view.shards, self.source, split, seed)

    @property
    def official(self) -> tuple[str, ...]:
        """The official parts of the shards, ``("all",)`` where there are none."""
        assert self.view is not None
        found = self.view.shards.official
        return tuple(part for part in ("train", "validation", "test") if part in found) or ("all",)

    @functools.cached_property
    def format(self) -> PixelFormat:
        """The images' own format, as their index says."""
        assert self.view is not None
        return self.view.shards.format

    @functools.cached_property
    def fingerprint(self) -> str:
        """A hash of the shards and the split: equal streams have equal fingerprints, on every machine."""
        assert self.view is not None
        return self.view.shards.fingerprint(self.split, self.view.seed)

    def select(self, indices: npt.ArrayLike, *, split: str | None = None) -> Any:
        """Return the images at ``indices`` in memory, as an :class:`ImageSet`.

        Raises:
            UserError: they are too many to be in memory at once.
        """
        places = _places(indices, len(self))
        kind = self.format
        _check_room(self.source, len(places), kind.nbytes)
        found = np.empty((len(places), *kind.shape), dtype=kind.dtype)
        return self._gathered(places, found, split or self.split, read_pixels=True)

    def spread(self, most: int) -> npt.NDArray[np.int64]:
        """Return the places of at most ``most`` images, evenly spaced, and of fewer where they are large."""
        most = max(1, min(most, len(self), IN_MEMORY // 4 // self.format.nbytes))
        return np.linspace(0, len(self) - 1, most).astype(np.int64)

    def sample(self, most: int) -> ImageSet:
        """Return the images at :meth:`spread`; their pixels alone are ``pixels[spread(most)]``, without their names."""
        found: ImageSet = self.select(self.spread(most))
        return found

    def with_pixels(self, pixels: npt.NDArray[Any]) -> Any:
        """Return the same names, ids and labels with other pixels, in memory."""
        return self._gathered(np.arange(len(self), dtype=np.int64), pixels, self.split, read_pixels=False)

    def _gathered(
        self, places: npt.NDArray[np.int64], pixels: npt.NDArray[Any], split: str, *, read_pixels: bool
    ) -> ImageSet:
        """Return an image set of what lies at ``places``, in one pass; its ``pixels`` are filled where they are to be read."""
        ids = np.empty(len(places), dtype=np.int64)
        labels = np.full(len(places), -1, dtype=np.int64)
        names = [""] * len(places)
        assert self.view is not None
        for where, piece in self.view.at(places, pixels=read_pixels, names=True):
            ids[where], labels[where] = piece.ids, piece.labels
            if read_pixels:
                pixels[where] = piece.pixels
            for place, name in zip(where.tolist(), piece.names, strict=True):
                names[place] = name
        return ImageSet(
            pixels=pixels,
            names=names,
            ids=ids,
            labels=None if self.labels is None else labels,
            classes=self.classes,
            source=self.source,
            split=split,
            notes=self.notes,
        )

    def check_finite(self) -> None:
        """Do nothing: pixels are checked when they are read."""

    def __repr__(self) -> str:
        return super().__repr__().replace("<ImageSet", "<ImageStream")


def _places(which: Any, count: int) -> npt.NDArray[np.int64]:
    """Return the places among ``count`` that an index array or a mask names; negative ones count from the end."""
    places = np.asarray(which)
    if places.dtype == bool:
        return np.flatnonzero(places)
    return np.where(places < 0, places + count, places).astype(np.int64)


def _check_room(source: str, count: int, each: int) -> None:
    """Raise a :class:`UserError` where ``count`` images of ``each`` bytes are too many to be in memory at once."""
    if count * each > IN_MEMORY:
        raise UserError(
            f"{source} streams its images, but this needs {count:,} of them in memory at once "
            f"({count * each / 2**30:.1f} GiB; at most {IN_MEMORY / 2**30:g}): name fewer of them with --split, or "
            "pack fewer; train, embed and evaluate take any number"
        )
