"""From the bytes of a shard to pixels. Runs in reading threads and processes; imports no torch."""

from __future__ import annotations

import dataclasses
import functools
import io
import os
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from latentia.core.errors import DamagedData
from latentia.core.npy import load_npy
from latentia.data.decode import decode, fit_size
from latentia.data.imageset import channels_last
from latentia.data.looking import LAYOUTS, dtype_of, probe_bytes
from latentia.data.shards.addresses import Address, Place
from latentia.data.shards.members import Table, digest_of

ARRAY = b"\x93NUMPY"  # how an .npy file begins
AS_ARRAYS = "array"  # the layout of shards whose members are .npy files


@dataclasses.dataclass(frozen=True)
class Form:
    """What every image of a stream is brought to.

    Attributes:
        layout: a layout of :data:`latentia.data.decode.LAYOUTS`, or ``array``.
        shape: ``(C, H, W)``.
        dtype: ``uint8``, ``uint16`` or ``float32``.
        policy: ``resize``, ``pad`` or ``crop``; ``none`` where every image has that size already.
    """

    layout: str
    shape: tuple[int, int, int]
    dtype: str
    policy: str = "none"

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Form:
        """Return the form that an index holds."""
        channels, height, width = values["shape"]
        return cls(values["layout"], (channels, height, width), values["dtype"], values["policy"])

    @property
    def nbytes(self) -> int:
        """The bytes of one image in memory."""
        return int(np.prod(self.shape)) * np.dtype(self.dtype).itemsize


class Unfit(Exception):
    """An image cannot be brought to the form; the text says why and goes behind "is" or "has"."""


def pixels_of(content: bytes, form: Form) -> npt.NDArray[Any]:
    """Return the pixels ``[C, H, W]`` of an image file's bytes.

    Raises:
        Unfit: they are no image, or none of that form.
    """
    head = _head(form)
    if content.startswith(head) and len(content) == len(head) + form.nbytes:  # ten times as fast as reading the head
        pixels = np.frombuffer(content, dtype=form.dtype, offset=len(head)).reshape(form.shape)
    else:
        pixels = _array(content, form.shape) if content.startswith(ARRAY) else _picture(content, form)
    if pixels.shape[0] != form.shape[0] or str(pixels.dtype) != form.dtype:
        channels, dtype = form.shape[0], form.dtype
        raise Unfit(f"has {len(pixels)} channel(s) of {pixels.dtype}, but the others have {channels} of {dtype}")
    if pixels.shape != form.shape:
        (height, width), wanted = pixels.shape[1:], form.shape[1:]
        if form.policy == "none":
            size = f"{wanted[0]}x{wanted[1]}"
            raise Unfit(
                f"is {height}x{width} pixels, but the others are {size}: give --size {size} to bring all to one size"
            )
        pixels = fit_size(pixels, wanted, form.policy)
    if form.dtype == "float32" and not np.isfinite(pixels).all():
        raise Unfit("holds NaN or infinite pixels: repair it or leave it out")
    return pixels


@functools.lru_cache
def _head(form: Form) -> bytes:
    """Return how an .npy file of this very form begins."""
    written = io.BytesIO()
    np.save(written, np.empty(form.shape, dtype=form.dtype), allow_pickle=False)
    return written.getvalue()[: -form.nbytes]


def _array(content: bytes, shape: tuple[int, ...] = ()) -> npt.NDArray[Any]:
    try:
        pixels = load_npy(content)
    except (ValueError, OSError) as error:
        raise Unfit(f"is no whole NumPy file ({error})") from None
    if pixels.ndim == 2:
        return np.asarray(pixels[None])
    if pixels.ndim != 3:
        raise Unfit(f"has the shape {pixels.shape}, but an image is [H, W], [C, H, W] or [H, W, C]")
    last = channels_last(pixels.shape) and pixels.shape != shape
    return np.ascontiguousarray(np.moveaxis(pixels, -1, 0)) if last else pixels


def _picture(content: bytes, form: Form) -> npt.NDArray[Any]:
    if form.layout == AS_ARRAYS:
        raise Unfit("is no NumPy file as the others are")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return decode(io.BytesIO(content), form.layout, None, "none")
    except Exception as error:  # Pillow's plugins raise nearly anything on a broken file
        raise Unfit(probe_bytes(content).problem or f"is broken ({type(error).__name__})") from None


def form_of(content: bytes) -> tuple[str, tuple[int, int, int], str]:
    """Return layout, shape and dtype of one image's bytes.

    Raises:
        Unfit: they are no image.
    """
    if content.startswith(ARRAY):
        pixels = _array(content)
        return AS_ARRAYS, (pixels.shape[0], pixels.shape[1], pixels.shape[2]), str(pixels.dtype)
    header = probe_bytes(content)
    if header.problem:
        raise Unfit(header.problem)
    return header.layout, (LAYOUTS[header.layout][0], header.height, header.width), dtype_of(header.layout)


def contents(path: Place, table: Table, name_of: Callable[[int], str], verified: bool) -> list[bytes]:
    """Return the bytes of the images of ``table``, read from the shard at ``path``.

    Args:
        path: the tar file.
        table: rows of the shard's table, in rising order.
        name_of: from a position in ``table`` to the name of the image, for messages.
        verified: whether the table's digests are those of the bytes.

    Raises:
        DamagedData: the shard is not there or ends too early, or an image's bytes are not those that were packed.
    """
    spans = list(zip(table["offset"].tolist(), table["size"].tolist(), strict=True))
    found = []
    read = path.ranges(spans) if isinstance(path, Address) else _ranges(path, spans)
    for place, (content, (offset, size), digest) in enumerate(zip(read, spans, table["digest"].tolist(), strict=True)):
        if len(content) < size:
            raise DamagedData(
                f"the shard {path} is cut off: its image {name_of(place)!r} should end at byte {offset + size:,}, but "
                f"the file ends at {offset + len(content):,}; copy it anew and go on"
            )
        if verified and digest_of(content) != digest:
            raise DamagedData(
                f"the image {name_of(place)!r} in the shard {path} is corrupt: its bytes are not those that were packed; "
                "copy the shard anew and go on"
            )
        found.append(content)
    return found


def _ranges(path: Path, spans: list[tuple[int, int]]) -> Iterator[bytes]:
    """Yield the bytes of each ``(offset, size)`` of a file; less of one that ends behind the file's end."""
    try:
        file = os.open(path, os.O_RDONLY)
    except OSError as error:
        raise DamagedData(f"the shard {path} cannot be opened ({error.strerror}): bring it back and go on") from None
    try:
        if hasattr(os, "posix_fadvise") and spans:
            start, end = spans[0][0], sum(spans[-1])
            os.posix_fadvise(file, start, end - start, os.POSIX_FADV_WILLNEED)
        for offset, size in spans:
            yield os.pread(file, size, offset)
    except OSError as error:
        raise DamagedData(f"the shard {path} cannot be read ({error.strerror}): repair it and go on") from None
    finally:
        os.close(file)


def decoded(
    path: Place, table: Table, name_of: Callable[[int], str], verified: bool, form: Form
) -> Iterator[tuple[bytes, npt.NDArray[Any]]]:
    """Yield bytes and pixels ``[C, H, W]`` of the images of ``table``; arguments as for :func:`contents`.

    Raises:
        DamagedData: see :func:`contents`; or an image is none, or of another form.
    """
    for row, content in enumerate(contents(path, table, name_of, verified)):
        try:
            yield content, pixels_of(content, form)
        except Unfit as reason:
            raise DamagedData(f"the image {name_of(row)!r} in the shard {path} {reason}") from None
