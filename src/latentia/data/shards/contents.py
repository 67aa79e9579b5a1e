"""What is packed: images in memory or mapped, files in a folder, or another stream, each as a row of encoded items."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import io
import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from latentia.core.errors import DamagedData, UserError, unknown
from latentia.data.decode import decode
from latentia.data.imageset import ImageSet, Numbers, range_of
from latentia.data.load import find_source, load, read_options
from latentia.data.looking import Header
from latentia.data.shards.catalogue import Catalogue
from latentia.data.shards.images import AS_ARRAYS, Form
from latentia.data.sources.folder import Files, Folder
from latentia.data.stream import ImageStream, Piece

KINDS = ("auto", "png", "npy")
AS_PNG = {(1, "uint8"): "L", (2, "uint8"): "LA", (3, "uint8"): "RGB", (4, "uint8"): "RGBA", (1, "uint16"): "I;16"}
KEPT = {".png": "png", ".jpg": "jpg", ".jpeg": "jpg", ".webp": "webp"}  # files that may be packed as they are
STARTS = {b"\x89PNG": "png", b"\xff\xd8\xff": "jpg", b"RIFF": "webp"}
BLOCK = 512  # images that are encoded together


@dataclasses.dataclass(frozen=True)
class Item:
    """One image, ready to be packed: its bytes and their ending, or the ``problem`` for which it is left out."""

    name: str
    content: bytes = b""
    ending: str = "png"
    label: int | None = None
    problem: str = ""


@dataclasses.dataclass(frozen=True)
class Packable:
    """The images of one official part.

    Attributes:
        name: what the user called them; ``part`` which of them, ``all`` where there are no official parts.
        count: how many; ``fingerprint`` changes when they do.
        form, low, high: what they are, as in a :class:`Catalogue`.
        classes, labelled, named: of their labels, and whether their names are more than numbers.
        notes: sentences a person should see.
        items: called with a number, yields the items from there on.
    """

    name: str
    part: str
    count: int
    fingerprint: str
    form: Form
    low: float
    high: float
    classes: tuple[str, ...]
    labelled: bool
    named: bool
    notes: tuple[str, ...]
    items: Callable[[int], Iterator[Item]]


def packables(data: Any, kind: str, quiet: bool, options: dict[str, Any]) -> list[Packable]:
    """Return the parts of ``data``; arguments as for :func:`latentia.data.shards.packing.pack`.

    Raises:
        UserError: it cannot be read as images, or its parts are of several kinds.
    """
    if kind not in KINDS:
        raise unknown("kind of packed image", kind, KINDS)
    if not isinstance(data, str | os.PathLike):
        return [_of_set(load(data), "all", kind)]
    location = os.fspath(data)
    source = find_source(location)
    reading = read_options(options.get("data_dir"), options.get("size"), options.get("policy") or "auto", quiet)
    found = _streamed(source.read(location, "all", reading), kind) if source.streams else []
    for part in () if source.streams else source.parts(location, reading):
        if isinstance(source, Folder):
            files = source.files(location, part, reading)
            reading = dataclasses.replace(reading, size=files.size)  # the parts have one size
            found.append(_of_files(files, location, part, kind))
            continue
        found.append(_of_set(source.read(location, part, reading), part, kind))
    if len({item.form for item in found}) > 1:
        kinds = "; ".join(f"{item.part}: {item.form.shape} {item.form.dtype}" for item in found)
        raise UserError(f"the parts of {location} are of several kinds ({kinds}): pack them one by one")
    return _with_common_classes(found)


def _with_common_classes(found: list[Packable]) -> list[Packable]:
    """Return the parts with one list of classes: a label means the same in all of them."""
    longest = max((item.classes for item in found), key=len)
    if all(item.classes == longest[: len(item.classes)] for item in found):
        return [dataclasses.replace(item, classes=longest) for item in found]
    union = tuple(sorted({name for item in found for name in item.classes}))

    def renumbered(part: Packable, start: int) -> Iterator[Item]:
        numbers = [union.index(name) for name in part.classes]
        for item in part.items(start):
            yield item if item.label is None else dataclasses.replace(item, label=numbers[item.label])

    return [dataclasses.replace(item, classes=union, items=functools.partial(renumbered, item)) for item in found]


def encode(pixels: npt.NDArray[Any], layout: str) -> tuple[bytes, str]:
    """Return the pixels ``[C, H, W]`` of one image without loss, and the ending for it."""
    written = io.BytesIO()
    if layout == AS_ARRAYS:
        np.save(written, np.ascontiguousarray(pixels), allow_pickle=False)
        return written.getvalue(), "npy"
    shown = pixels[0] if len(pixels) == 1 else np.moveaxis(pixels, 0, -1)
    Image.fromarray(np.ascontiguousarray(shown)).save(written, "PNG")
    return written.getvalue(), "png"


def _layout(channels: int, dtype: str, kind: str) -> str:
    found = AS_PNG.get((channels, dtype))
    if kind == "png" and found is None:
        raise UserError(f"a PNG file holds no {channels} channel(s) of {dtype}: pack them with --kind npy")
    return AS_ARRAYS if kind == "npy" or found is None else found


def _of_set(images: ImageSet, part: str, kind: str) -> Packable:
    own = images.format
    layout = _layout(own.channels, own.dtype, kind)
    labels = images.labels

    def block(start: int, stop: int) -> list[Item]:
        pixels = np.asarray(images.pixels[start:stop])
        return [
            Item(images.names[start + row], *encode(each, layout), _label(labels, start + row))
            for row, each in enumerate(pixels)
        ]

    form = Form(layout, own.shape, own.dtype)
    named = not isinstance(images.names, Numbers)
    return _as_packable(images, part, form, block, labelled=labels is not None, named=named)


def _of_files(files: Files, location: str, part: str, kind: str) -> Packable:
    layout = _layout(files.shape[0], files.dtype, kind)
    form = Form(layout, files.shape, files.dtype)
    low, high = _seen_range(files) if files.dtype == "float32" else range_of(files.dtype)

    def block(start: int, stop: int) -> list[Item]:
        return [
            _file_item(files, name, header, form, kind, _label(files.labels, start + row))
            for row, (name, header) in enumerate(files.good[start:stop])
        ]

    return Packable(
        location,
        part,
        len(files.good),
        files.key,
        form,
        low,
        high,
        files.classes,
        files.labels is not None,
        True,
        files.notes,
        functools.partial(_blocks, block, len(files.good)),
    )


def _file_item(files: Files, name: str, header: Header, form: Form, kind: str, label: int | None) -> Item:
    path = files.place / name
    try:
        content = path.read_bytes()
        if hashlib.blake2b(content, digest_size=16).hexdigest() != header.digest:
            return Item(name, problem="changed while it was packed")
        ending = KEPT.get(Path(name).suffix.lower())
        if kind == "auto" and ending and form.layout != AS_ARRAYS and (header.height, header.width) == files.size:
            return Item(name, content, ending, label)
        return Item(
            name, *encode(decode(io.BytesIO(content), files.layout, files.size, files.policy), form.layout), label
        )
    except Exception as error:  # Pillow's plugins raise nearly anything on a broken file
        return Item(name, problem=f"could not be read ({type(error).__name__})")


def _seen_range(files: Files) -> tuple[float, float]:
    """Return the range of float images: one pass over all of them, as an index holds it."""
    low, high = np.inf, -np.inf
    for name, _ in files.good:
        pixels = decode(str(files.place / name), files.layout, files.size, files.policy)
        low, high = min(low, float(pixels.min())), max(high, float(pixels.max()))
    return range_of("float32", float(low), float(high))


def _streamed(images: ImageSet, kind: str) -> list[Packable]:
    """Return the official parts of a stream, and what belongs to none of them."""
    assert isinstance(images, ImageStream) and images.view is not None  # a developer's invariant: `source.streams`
    if images.official == ("all",):
        return [_of_stream(images, "all", kind)]
    shards = images.view.shards
    parts = {part: ImageStream.of(shards.of_part(part), images.source) for part in (*images.official, "all")}
    return [_of_stream(stream, part, kind) for part, stream in parts.items() if len(stream)]


def _of_stream(images: ImageStream, part: str, kind: str) -> Packable:
    own, view = images.format, images.view
    assert view is not None  # a developer's invariant: made by `ImageStream.of`
    shards = view.shards
    layout = _layout(own.channels, own.dtype, kind)
    form = Form(layout, own.shape, own.dtype)
    keeps = kind == "auto" and layout != AS_ARRAYS and isinstance(shards, Catalogue) and shards.form == form

    def found(piece: Piece, place: int) -> Iterable[tuple[bytes, npt.NDArray[Any]]]:
        if not (keeps and isinstance(shards, Catalogue)):
            return ((b"", pixels) for pixels in piece.pixels)
        number, row = view.place_of(place)
        return shards.stored(number, np.arange(row, row + len(piece.ids)))

    def block(start: int, stop: int) -> list[Item]:
        items: list[Item] = []
        try:
            for piece in view.span(start, stop, pixels=not keeps, names=True):
                each = found(piece, start + len(items))
                for (content, pixels), label, name in zip(each, piece.labels.tolist(), piece.names, strict=True):
                    ending = next((ending for start, ending in STARTS.items() if content.startswith(start)), None)
                    encoded = encode(pixels, layout) if ending is None else (content, ending)
                    items.append(Item(name, *encoded, label if label >= 0 else None))
        except DamagedData as error:
            if stop - start == 1:
                return [Item(images.names[start], problem=f"was left out, for {error}")]
            return [item for place in range(start, stop) for item in block(place, place + 1)]
        return items

    return _as_packable(images, part, form, block, labelled=shards.labelled, named=True)


def _as_packable(
    images: ImageSet, part: str, form: Form, block: Callable[[int, int], list[Item]], *, labelled: bool, named: bool
) -> Packable:
    return Packable(
        images.source,
        part,
        len(images),
        images.fingerprint,
        form,
        images.format.low,
        images.format.high,
        images.classes,
        labelled,
        named,
        images.notes,
        functools.partial(_blocks, block, len(images)),
    )


def _label(labels: Any, place: int) -> int | None:
    if labels is None or labels[place] < 0:
        return None
    return int(labels[place])


def _blocks(block: Callable[[int, int], list[Item]], count: int, start: int) -> Iterator[Item]:
    """Yield the items from ``start`` on; threads encode what comes next."""
    threads = min(4, os.cpu_count() or 1)
    ends = list(range(start, count, BLOCK))
    with ThreadPoolExecutor(threads) as pool:
        waiting = [pool.submit(block, begin, min(begin + BLOCK, count)) for begin in ends[: threads + 1]]
        for position in range(len(ends)):
            done = waiting.pop(0).result()
            following = position + threads + 1
            if following < len(ends):
                waiting.append(pool.submit(block, ends[following], min(ends[following] + BLOCK, count)))
            yield from done
