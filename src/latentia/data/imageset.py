"""ImageSet: images as they came, with labels where there are any, and a stable id and name for each."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import math
import operator
from collections.abc import Iterator, Sequence
from typing import Any, Self, overload

import numpy as np
import numpy.typing as npt

from latentia.core.errors import UserError

DTYPES = ("uint8", "uint16", "float32")
UNLABELLED = -1
LOOKED_AT = 1 << 26  # bytes of pixels that are read at once to be hashed or compared


@dataclasses.dataclass(frozen=True)
class PixelFormat:
    """What kind of pixels a model was made for: it travels in the model's file, so that what comes out is like what went in.

    Attributes:
        channels, height, width: the shape of one image.
        dtype: ``uint8``, ``uint16`` or ``float32``.
        low, high: the pixel values that stand for 0 and 1 inside the model.
    """

    channels: int
    height: int
    width: int
    dtype: str
    low: float
    high: float

    @property
    def shape(self) -> tuple[int, int, int]:
        """``(channels, height, width)``."""
        return self.channels, self.height, self.width

    @property
    def pixels(self) -> int:
        """The number of values in one image."""
        return self.channels * self.height * self.width

    @property
    def nbytes(self) -> int:
        """The bytes of one image in memory."""
        return self.pixels * np.dtype(self.dtype).itemsize

    def to_unit(self, pixels: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
        """Return ``pixels`` as float32, ``low`` at 0 and ``high`` at 1."""
        unit = pixels.astype(np.float32)
        if self.low:
            unit -= np.float32(self.low)
        unit *= np.float32(1.0 / (self.high - self.low))
        return unit

    def from_unit(self, unit: npt.NDArray[np.floating[Any]]) -> npt.NDArray[Any]:
        """Return ``unit`` in this format's dtype and range; integers are rounded and everything is clipped to the range."""
        values = np.clip(unit, 0.0, 1.0).astype(np.float32) * np.float32(self.high - self.low) + np.float32(self.low)
        return values.astype(self.dtype) if self.dtype == "float32" else np.rint(values).astype(self.dtype)

    def __str__(self) -> str:
        return f"{self.channels}x{self.height}x{self.width} {self.dtype}"


@dataclasses.dataclass(frozen=True)
class Geometry:
    """How one image was brought to the set's common size and mode, so that a result can be taken back.

    Attributes:
        height, width: the original size in pixels.
        mode: the original Pillow mode (``L``, ``RGB``, ``RGBA``, ``I;16`` …).
        policy: ``none``, ``resize`` (both sides scaled), ``pad`` (centred on black) or ``crop`` (centre kept).
    """

    height: int
    width: int
    mode: str
    policy: str = "none"


@dataclasses.dataclass(frozen=True, eq=False)
class ImageSet:
    """A set of images with random access.

    Attributes:
        pixels: ``[N, C, H, W]`` uint8, uint16 or float32, in memory or memory-mapped, as they came.
        names: one name for each image, unique.
        ids: int64 ``[N]``, stable and unique; noise is addressed by them, so they must survive narrowing.
        labels: int64 ``[N]``, -1 where unlabelled, or ``None``.
        classes: the name of each label.
        geometry: how each image came to the common size, or ``None`` where none was changed.
        groups: int64 ``[N]``, equal for images that hold the same picture and must not be split apart, or ``None``.
        source: what the user called it (``mnist``, a path …); ``split`` names the part of it.
        notes: sentences a person should see (skipped files, chosen sizes), kept in the run folder too.
        root: the folder the names are relative to, where there is one.
    """

    pixels: npt.NDArray[Any]
    names: Sequence[str]
    ids: npt.NDArray[np.int64]
    labels: npt.NDArray[np.int64] | None = None
    classes: tuple[str, ...] = ()
    geometry: tuple[Geometry, ...] | None = None
    groups: npt.NDArray[np.int64] | None = None
    source: str = "array"
    split: str = "all"
    notes: tuple[str, ...] = ()
    root: str | None = None

    def __post_init__(self) -> None:
        if self.pixels.ndim != 4 or str(self.pixels.dtype) not in DTYPES:
            raise TypeError(f"pixels are [N, C, H, W] of {DTYPES}, not {self.pixels.shape} {self.pixels.dtype}")
        for field in ("names", "ids", "labels", "geometry", "groups"):
            value = getattr(self, field)
            if value is not None and len(value) != len(self.pixels):
                raise TypeError(f"{len(value)} {field} for {len(self.pixels)} images")

    def __len__(self) -> int:
        return len(self.pixels)

    def __iter__(self) -> Iterator[npt.NDArray[Any]]:
        return iter(self.pixels)

    def __repr__(self) -> str:
        channels, height, width = self.pixels.shape[1:]
        labelled = "" if self.labels is None else f", {int((self.labels >= 0).sum())} labelled"
        return (
            f"<ImageSet {self.source} ({self.split}): {len(self)} images {channels}x{height}x{width} "
            f"{self.pixels.dtype}{labelled}>"
        )

    def _repr_html_(self) -> str:
        from latentia.core.notebook import preformatted
        from latentia.data.thumbnails import sheet

        return preformatted(repr(self)) + (sheet([self]) if len(self) else "")

    @functools.cached_property
    def format(self) -> PixelFormat:
        """The images' own format. Integers span their dtype; floats span [0, 1] when they lie in it, else what was seen."""
        channels, height, width = (int(side) for side in self.pixels.shape[1:])
        low, high = _range(self.pixels)
        return PixelFormat(channels, height, width, str(self.pixels.dtype), low, high)

    @functools.cached_property
    def fingerprint(self) -> str:
        """A hash of pixels, ids and labels: equal sets have equal fingerprints, on every machine."""
        digest = hashlib.blake2b(repr((self.pixels.shape, str(self.pixels.dtype))).encode(), digest_size=16)
        for start in range(0, len(self), 4096):
            digest.update(np.ascontiguousarray(self.pixels[start : start + 4096]).data)
        digest.update(np.ascontiguousarray(self.ids).data)
        if self.labels is not None:
            digest.update(np.ascontiguousarray(self.labels).data)
        return digest.hexdigest()

    @functools.cached_property
    def digests(self) -> npt.NDArray[np.int64]:
        """A hash of each image's pixels, int64 ``[N]``: equal for equal pixels, whatever name or place they came under."""
        shape = tuple(int(side) for side in self.pixels.shape[1:])
        begin = hashlib.blake2b(repr((shape, str(self.pixels.dtype))).encode(), digest_size=8)
        found, block = bytearray(), self._together()
        for start in range(0, len(self), block):
            for image in np.ascontiguousarray(self.pixels[start : start + block]):
                one = begin.copy()
                one.update(image.data)
                found += one.digest()
        return np.frombuffer(bytes(found), dtype="<i8").astype(np.int64)

    def select(self, indices: npt.ArrayLike, *, split: str | None = None) -> Self:
        """Return the images at ``indices`` (integers, in that order) with all that belongs to them."""
        chosen = np.asarray(indices, dtype=np.int64)
        return dataclasses.replace(
            self,
            pixels=self.pixels[chosen],
            names=[self.names[index] for index in chosen],
            ids=self.ids[chosen],
            labels=None if self.labels is None else self.labels[chosen],
            geometry=None if self.geometry is None else tuple(self.geometry[index] for index in chosen),
            groups=None if self.groups is None else self.groups[chosen],
            split=split or self.split,
        )

    def with_pixels(self, pixels: npt.NDArray[Any]) -> Self:
        """Return the same names, ids, labels and geometry with other pixels, as a task's result."""
        return dataclasses.replace(self, pixels=pixels)

    def places_in(self, others: ImageSet) -> npt.NDArray[np.int64]:
        """Return where each image is in ``others``, by its pixels, int64 ``[N]``; -1 for those that are not there.

        Of several equal pictures the one of the same id is taken, else the first.
        """
        found = np.full(len(self), -1, dtype=np.int64)
        if self.pixels.shape[1:] != others.pixels.shape[1:] or self.pixels.dtype != others.pixels.dtype:
            return found
        known: dict[Any, int] = {}
        for place, both in enumerate(zip(others.digests.tolist(), others.ids.tolist(), strict=True)):
            known.setdefault(both[0], place)
            known.setdefault(both, place)
        for index, both in enumerate(zip(self.digests.tolist(), self.ids.tolist(), strict=True)):
            found[index] = known.get(both, known.get(both[0], -1))
        return found

    def among(self, others: ImageSet) -> npt.NDArray[np.bool_]:
        """Return which images are ``others``, too, bool ``[N]``: equal name and pixels, wherever they were read from."""
        found = np.zeros(len(self), dtype=bool)
        if self.pixels.shape[1:] != others.pixels.shape[1:] or self.pixels.dtype != others.pixels.dtype:
            return found
        places = {name: place for place, name in enumerate(others.names)}
        paired = [(index, places[name]) for index, name in enumerate(self.names) if name in places]
        block = self._together()
        for start in range(0, len(paired), block):
            ours, theirs = (list(rows) for rows in zip(*paired[start : start + block], strict=True))
            found[ours] = (self.pixels[ours] == others.pixels[theirs]).all(axis=(1, 2, 3))
        return found

    def _together(self) -> int:
        """Return how many images are looked at together."""
        return max(1, LOOKED_AT // max(1, math.prod(self.pixels.shape[1:]) * self.pixels.dtype.itemsize))

    def check_finite(self) -> None:
        """Raise a :class:`UserError` that names the first image with a NaN or infinite pixel, if there is one."""
        if self.pixels.dtype != np.float32:
            return
        for start in range(0, len(self), 1024):
            bad = ~np.isfinite(self.pixels[start : start + 1024]).all(axis=(1, 2, 3))
            if bad.any():
                first = start + int(bad.argmax())
                raise UserError(
                    f"image {self.names[first]!r} of {self.source} holds NaN or infinite pixels: "
                    "repair it or leave it out"
                )


class Numbers(Sequence[str]):
    """The names ``"000000"`` and on, made when they are asked for: a million of them take no memory."""

    def __init__(self, count: int, width: int = 6) -> None:
        self._count, self._width = count, width

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> list[str]: ...
    def __getitem__(self, index: int | slice) -> str | list[str]:
        if isinstance(index, slice):
            return [str(place).zfill(self._width) for place in range(*index.indices(self._count))]
        place = int(index) + (self._count if index < 0 else 0)
        if not 0 <= place < self._count:
            raise IndexError(index)
        return str(place).zfill(self._width)

    def __iter__(self) -> Iterator[str]:
        return (str(place).zfill(self._width) for place in range(self._count))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and len(other) == len(self) and all(map(operator.eq, self, other))

    def __hash__(self) -> int:
        return hash((self._count, self._width))


def from_array(
    pixels: Any,
    labels: Any = None,
    *,
    names: Sequence[str] | None = None,
    classes: Sequence[str] = (),
    source: str = "array",
) -> ImageSet:
    """Return an :class:`ImageSet` from a NumPy array or a torch tensor.

    Args:
        pixels: ``[N, H, W]``, ``[N, C, H, W]`` or ``[N, H, W, C]`` (told apart by the smaller of the second and the last
            side, at most 16 for channels last); bool, any integer or any float. Integers must fit into uint8 or uint16.
        labels: ``[N]`` integers (-1 is unlabelled) or texts, or ``None``.
        names: one unique name for each image; ``"000000"`` and on by default.

    Raises:
        UserError: a shape, dtype or length that cannot be images, no images, or NaN and infinite pixels.
    """
    array = _as_numpy(pixels)
    array = _four_sided(array, source)
    if 0 in array.shape:
        raise UserError(f"{source} holds no images: its shape is {tuple(array.shape)}")
    array = _stored_dtype(array, source)
    count = len(array)
    width = max(6, len(str(count)))
    chosen_names: Sequence[str] = Numbers(count, width) if names is None else list(names)
    if names is not None and (len(chosen_names) != count or len(set(chosen_names)) != count):
        raise UserError(f"{source} has {count} images but {len(set(chosen_names))} different names")
    numbers, class_names = encode_labels(labels, classes, count, source)
    images = ImageSet(
        pixels=array,
        names=chosen_names,
        ids=np.arange(count, dtype=np.int64),
        labels=numbers,
        classes=class_names,
        source=source,
    )
    images.check_finite()
    return images


def encode_labels(
    labels: Any, classes: Sequence[str], count: int, source: str
) -> tuple[npt.NDArray[np.int64] | None, tuple[str, ...]]:
    """Return labels as int64 ``[count]`` and their class names; texts are numbered in sorted order.

    Raises:
        UserError: not one label for each image, or labels that are neither whole numbers nor texts.
    """
    if labels is None:
        return None, tuple(classes)
    array = _as_numpy(labels).reshape(-1)
    if len(array) != count:
        raise UserError(f"{source} has {count} images but {len(array)} labels")
    if array.dtype.kind in "iub" or (array.dtype.kind == "f" and bool(np.all(array == np.round(array)))):
        numbers = array.astype(np.int64)
        if numbers.min(initial=0) < UNLABELLED:
            raise UserError(f"{source} has the label {numbers.min()}, but labels are 0 and above, or -1 for unlabelled")
        known = tuple(classes) or tuple(str(label) for label in range(int(numbers.max(initial=-1)) + 1))
        return numbers, known
    if array.dtype.kind in "UO":
        texts = [str(text) for text in array]
        known = tuple(classes) or tuple(sorted({text for text in texts if text != ""}))
        position = {text: index for index, text in enumerate(known)}
        return np.array([position.get(text, UNLABELLED) for text in texts], dtype=np.int64), known
    raise UserError(f"{source} has labels of dtype {array.dtype}, but labels are whole numbers or texts")


def _range(pixels: npt.NDArray[Any]) -> tuple[float, float]:
    if pixels.dtype == np.float32 and len(pixels):
        return range_of("float32", float(pixels.min()), float(pixels.max()))
    return range_of(str(pixels.dtype))


def range_of(dtype: str, low: float = 0.0, high: float = 1.0) -> tuple[float, float]:
    """Return the values that stand for 0 and 1: all that a ``dtype`` holds, or for float32 those between which pixels lie.

    Args:
        dtype: uint8, uint16 or float32.
        low, high: the least and the largest pixel, for float32; within [0, 1] the range is that.
    """
    if dtype != "float32":
        return 0.0, float(np.iinfo(dtype).max)
    if low >= 0.0 and high <= 1.0:
        return 0.0, 1.0
    return low, high if high > low else low + 1.0


def _as_numpy(values: Any) -> npt.NDArray[Any]:
    if hasattr(values, "detach"):  # a torch tensor, without importing torch
        values = values.detach().cpu().numpy()
    return np.asanyarray(values)  # a memory-mapped array stays one


def channels_last(shape: tuple[int, ...]) -> bool:
    """Return whether an image of this shape is ``(H, W, C)``: C is at most 16 and smaller than the first side."""
    return len(shape) == 3 and shape[2] <= 16 and shape[2] < shape[0]


def _four_sided(array: npt.NDArray[Any], source: str) -> npt.NDArray[Any]:
    if array.ndim == 3:
        return array[:, None]
    if array.ndim != 4:
        raise UserError(
            f"{source} has the shape {tuple(array.shape)}, but images are [N, H, W], [N, C, H, W] or [N, H, W, C]"
        )
    if channels_last(array.shape[1:]):
        return np.ascontiguousarray(np.moveaxis(array, -1, 1))
    return array


def _stored_dtype(array: npt.NDArray[Any], source: str) -> npt.NDArray[Any]:
    if str(array.dtype) in DTYPES:
        return array
    if array.dtype.kind == "b":
        return array.astype(np.uint8) * np.uint8(255)
    if array.dtype.kind == "f":
        return array.astype(np.float32)
    if array.dtype.kind in "iu":
        low, high = int(array.min()), int(array.max())
        if low >= 0 and high <= 65535:
            return array.astype(np.uint8 if high <= 255 else np.uint16)
        raise UserError(f"{source} holds whole numbers from {low} to {high}, but pixels are 0 to 255 or 0 to 65535")
    raise UserError(f"{source} has the dtype {array.dtype}, but pixels are numbers")
