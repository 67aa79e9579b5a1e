"""Shards from elsewhere: their headers are read once, and what was found is cached."""

from __future__ import annotations

import dataclasses
import io
import json
import tarfile
from pathlib import Path

import numpy as np

from latentia.core.atomic import storage_errors, write_bytes
from latentia.core.errors import UserError
from latentia.data.cache import entry_key, map_files
from latentia.data.decode import LAYOUTS, common_layout
from latentia.data.shards.catalogue import Catalogue, Shard
from latentia.data.shards.images import AS_ARRAYS, Form, Unfit, contents, form_of, pixels_of
from latentia.data.shards.members import digest_of, table_of
from latentia.data.source import ReadOptions

PICTURES = ("png", "jpg", "jpeg", "webp", "bmp", "tif", "tiff", "gif", "ppm", "pgm", "npy")
PARTS = {"train": ("train", "training"), "validation": ("validation", "val", "valid"), "test": ("test", "testing")}
SCAN_VERSION = 1
BLOCK = 512  # the bytes in a block of a tar file
SEEN_SHARDS, SEEN_EACH = 16, 8  # the images by which the common form is chosen
LARGEST = 128  # the side that mixed sizes are brought down to unless a size is given


def catalogue_of(paths: list[Path], options: ReadOptions) -> Catalogue:
    """Return the catalogue of shards that were packed by another program.

    Raises:
        UserError: a shard is not there, cut off, compressed or without images; or the images seen first do not fit together.
    """
    for path in paths:
        if not path.is_file():
            raise UserError(f"the shard {path} is not there: bring it back, or name shards that are")
    folder = options.cache_dir / "shards"
    tables = [folder / f"{entry_key([SCAN_VERSION, str(path.resolve()), _stamp(path)])}.npy" for path in paths]
    missing = [(path, table) for path, table in zip(paths, tables, strict=True) if not table.is_file()]
    with storage_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    jobs = [(str(path), str(table)) for path, table in missing]
    for problem in map_files(scan, jobs, title="reading the headers of shards", quiet=options.quiet):
        if problem:
            raise UserError(problem)
    shards, first = [], 0
    for path, table in zip(paths, tables, strict=True):
        members = np.load(table, mmap_mode="r", allow_pickle=False)
        digest = entry_key([int(value) for value in (members["digest"] ^ members["label"].astype("u8"))[:100_000]])
        size = path.stat().st_size
        shards.append(Shard(path, table, _part(path), len(members), first, size, digest=f"{digest}-{size}"))
        first += len(members)
    parts = {shard.part for shard in shards}
    if not {"train", "test"} <= parts:  # official only where both are there
        shards = [dataclasses.replace(shard, part="all") for shard in shards]
    form, low, high, notes = _common_form(shards, options)
    labels = [np.load(table, mmap_mode="r")["label"] for table in tables]
    top = max(int(column.max()) for column in labels)
    return Catalogue(
        shards=tuple(shards),
        form=form,
        low=low,
        high=high,
        classes=tuple(map(str, range(top + 1))),
        labelled=top >= 0,
        verified=False,
        notes=notes,
    )


def scan(path: str, target: str) -> str:
    """Write the table and the names of the shard at ``path``; return why that cannot be done, or an empty text."""
    rows: dict[str, list[int]] = {}
    labels: dict[str, int] = {}
    key, stem = "", Path(path).stem  # keys are unique within a shard only
    try:
        with tarfile.open(path, "r:") as archive:
            while (member := archive.next()) is not None:
                archive.members = []  # type: ignore[attr-defined]  # or it would keep every header
                if not member.isfile():
                    continue
                key, _, ending = _key_and_ending(member.name)
                if ending in PICTURES and key not in rows:
                    rows[key] = [member.offset_data, member.size, -1, digest_of(f"{stem}/{key}".encode())]
                elif ending in ("cls", "json"):
                    opened = archive.extractfile(member)
                    label = _label(opened.read() if opened else b"", ending)
                    if label is not None:
                        labels[key] = label
    except tarfile.ReadError as error:
        with Path(path).open("rb") as file:
            start = file.read(2)
        if start == b"\x1f\x8b":
            return f"the shard {path} is compressed: unpack it with gunzip, for images are read from their places in it"
        if not start:
            return f"the shard {path} is empty: it has no bytes, so copy it anew or leave it out"
        if not rows:
            return f"{path} is no tar file ({error}): copy it anew or leave it out"
        return (
            f"the shard {path} is cut off behind {key!r}, its image number {len(rows):,}: copy it anew or leave it out"
        )
    except OSError as error:
        return f"the shard {path} cannot be read: {error.strerror or error}"
    if not rows:
        return f"the shard {path} holds no images (members that end in {', '.join(PICTURES)}): leave it out"
    for key, label in labels.items():
        if key in rows:
            rows[key][2] = label
    last = list(rows.values())[-1]
    if last[0] + last[1] + BLOCK > Path(path).stat().st_size:  # a whole tar file ends with empty blocks
        return f"the shard {path} is cut off within {list(rows)[-1]!r}, its last image: copy it anew or leave it out"
    content = io.BytesIO()
    np.save(content, table_of([(row[0], row[1], row[2], row[3]) for row in rows.values()]), allow_pickle=False)
    names = [f"{stem}/{name}".replace("\n", " ") for name in rows]
    write_bytes(Path(target).with_suffix(".txt"), "\n".join(names).encode())
    write_bytes(Path(target), content.getvalue())
    return ""


def _key_and_ending(name: str) -> tuple[str, str, str]:
    folder, _, file = name.rpartition("/")
    stem, _, ending = file.partition(".")  # as webdataset has it: the key ends at the first dot
    last = ending.rpartition(".")[2].lower()
    return (f"{folder}/{stem}" if folder else stem), ending, last


def _label(content: bytes, ending: str) -> int | None:
    try:
        value = json.loads(content)
        if ending == "json":
            value = next((value[name] for name in ("label", "cls", "class_id") if name in value), None)
        return int(value) if isinstance(value, int) and value >= 0 else None
    except (ValueError, TypeError, UnicodeDecodeError):
        return None


def _part(path: Path) -> str:
    words = {path.parent.name.lower(), *path.stem.lower().replace("_", "-").replace(".", "-").split("-")}
    return next((part for part, names in PARTS.items() if words & set(names)), "all")


def _common_form(shards: list[Shard], options: ReadOptions) -> tuple[Form, float, float, tuple[str, ...]]:
    seen = []
    floats: list[float] = []
    for number in sorted({int(n) for n in np.linspace(0, len(shards) - 1, min(len(shards), SEEN_SHARDS))}):
        shard = shards[number]
        rows = np.unique(np.linspace(0, shard.count - 1, min(shard.count, SEEN_EACH)).astype(np.int64))
        names = shard.names(rows)
        found = contents(shard.path, shard.members()[rows], names.__getitem__, False)
        for name, content in zip(names, found, strict=True):
            try:
                seen.append(form_of(content))
            except Unfit as reason:
                raise UserError(
                    f"the image {name!r} in the shard {shard.path} {reason}: latentia pack wds:... -o FOLDER leaves such "
                    "images out"
                ) from None
            if seen[-1][2] == "float32":
                pixels = pixels_of(content, Form(*seen[-1]))
                floats += [float(pixels.min()), float(pixels.max())]
    layouts = {layout for layout, _, _ in seen}
    dtypes = {dtype for _, _, dtype in seen}
    if AS_ARRAYS in layouts and (len(layouts) > 1 or len(dtypes) > 1 or len({shape[0] for _, shape, _ in seen}) > 1):
        raise UserError(
            f"the images in {shards[0].path.parent} are of several kinds ({', '.join(sorted(layouts | dtypes))}): "
            "pack those of one kind"
        )
    layout = AS_ARRAYS if AS_ARRAYS in layouts else common_layout(layouts)
    channels, dtype = seen[0][1][0], seen[0][2]
    if layout != AS_ARRAYS:
        channels, deep, real = LAYOUTS[layout]
        dtype = "uint16" if deep else "float32" if real else "uint8"
    if dtype not in ("uint8", "uint16", "float32"):
        raise UserError(f"the images in {shards[0].path.parent} are {dtype}, but pixels are uint8, uint16 or float32")
    size, policy, notes = _common_size([(shape[1], shape[2]) for _, shape, _ in seen], options)
    low, high = _range(dtype, floats)
    return Form(layout, (channels, *size), dtype, policy), low, high, notes


def _range(dtype: str, floats: list[float]) -> tuple[float, float]:
    if dtype != "float32":
        return 0.0, float(np.iinfo(dtype).max)
    low, high = min(floats), max(floats)
    if low >= 0.0 and high <= 1.0:
        return 0.0, 1.0
    return low, high if high > low else low + 1.0


def _common_size(sizes: list[tuple[int, int]], options: ReadOptions) -> tuple[tuple[int, int], str, tuple[str, ...]]:
    policy = "resize" if options.policy == "auto" else options.policy
    if options.size is not None:
        return options.size, policy, ()
    if len(set(sizes)) == 1:
        return sizes[0], "none", ()
    heights, widths = np.array(sizes).T
    scale = min(1.0, LARGEST / max(float(np.median(heights)), float(np.median(widths))))
    size = max(1, round(float(np.median(heights)) * scale)), max(1, round(float(np.median(widths)) * scale))
    what = {"resize": "scaled", "pad": "padded", "crop": "cropped"}[policy]
    return (
        size,
        policy,
        (f"the images have several sizes and are {what} to {size[0]}x{size[1]} (choose with --size and --policy)",),
    )


def _stamp(path: Path) -> str:
    status = path.stat()
    return f"{status.st_size}:{status.st_mtime_ns}:{status.st_ino}"
