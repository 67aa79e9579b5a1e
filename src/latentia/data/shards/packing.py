"""Packing images into shards: tar files that the webdataset library reads too, each whole or not there at all.

A shard is written beside its place and moved there, its table after it, and its entry (``members/NAME.json``) last; a shard
without an entry is not taken for whole but written anew, so packing that was killed goes on where it was. ``index.json`` comes
at the very end, in place of ``packing.json``, which says what is being packed.
"""

from __future__ import annotations

import dataclasses
import fcntl
import hashlib
import io
import json
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from latentia.core.atomic import remove_leftovers, storage_errors, write_atomically, write_bytes, write_json
from latentia.core.bars import tqdm
from latentia.core.errors import UserError
from latentia.core.notebook import Printed
from latentia.core.npy import load_npy
from latentia.data.shards.catalogue import (
    INDEX,
    MEMBERS,
    UNFINISHED,
    Catalogue,
    Shard,
    index_json,
    key_of,
    read_index,
    split_counts,
    table_path,
)
from latentia.data.shards.contents import Item, Packable, packables
from latentia.data.shards.members import digest_of, table_of

BLOCK = 512  # the bytes in a block of a tar file
NAMED = 3  # so many images that were left out are named, the others counted


@dataclasses.dataclass(frozen=True)
class Packed(Printed):
    """What was packed.

    Attributes:
        path: the folder of the shards.
        images, shards, bytes: how many, and the size of all tar files.
        left_out: how many images could not be read.
        notes: sentences a person should see.
    """

    path: Path
    images: int
    shards: int
    bytes: int
    left_out: int
    notes: tuple[str, ...]

    def __str__(self) -> str:
        each = self.bytes / max(self.images, 1)
        lines = [
            f"{self.images:,} images in {self.shards:,} shards, {self.bytes / 1e6:,.1f} MB ({each:,.0f} bytes an image)"
        ]
        return "\n".join([*lines, f"read them as wds:{self.path}"])

    def to_json(self) -> dict[str, Any]:
        """Return the fields."""
        return {**dataclasses.asdict(self), "path": str(self.path)}


@dataclasses.dataclass
class _Progress:
    """How far packing is: the number of the next image that is packed, and its place among those of its part."""

    first: int = 0
    place: int = 0


def pack(
    data: Any,
    folder: Path,
    *,
    images_per_shard: int = 10_000,
    shard_size: int = 512 * 1024 * 1024,
    kind: str = "auto",
    quiet: bool = False,
    **options: Any,
) -> Packed:
    """Write the images of ``data`` as shards into ``folder``; official parts stay apart.

    Args:
        data: whatever :func:`latentia.load` takes.
        folder: where the shards go. What an earlier call for the same images left unfinished there is gone on with.
        images_per_shard: the most images in a shard.
        shard_size: the most bytes of a shard's images; a single larger image has a shard of its own.
        kind: ``png`` (8 bits, and 16 bits of one channel), ``npy``, or ``auto``: PNG where it holds the pixels without
            loss. Image files that have the common size already are packed as they are under ``auto``.
        quiet: no progress bar.
        **options: ``size``, ``policy`` and ``data_dir`` of :func:`latentia.load`.

    Raises:
        UserError: the data cannot be read, or the folder holds something else.
        StorageError: the disk is full; the shards that are there stay.
    """
    sources = packables(data, kind, quiet, options)
    plan = _plan(sources, images_per_shard, shard_size, kind)
    with storage_errors(folder):
        (folder / MEMBERS).mkdir(parents=True, exist_ok=True)
    if _begin(folder, plan):
        with (folder / UNFINISHED).open() as lock:
            _claim(lock, folder)
            remove_leftovers(folder)
            remove_leftovers(folder / MEMBERS)
            _write_shards(folder, sources, images_per_shard, shard_size, quiet)
            _finish(folder, sources, plan)
    catalogue = read_index(folder)
    assert catalogue is not None  # it was written just now, or found whole
    left_out = int(json.loads((folder / INDEX).read_text(encoding="utf-8"))["latentia"]["left_out"])
    total = sum(shard.count for shard in catalogue.shards), sum(shard.size for shard in catalogue.shards)
    return Packed(folder, total[0], len(catalogue.shards), total[1], left_out, catalogue.notes)


def _plan(sources: list[Packable], images_per_shard: int, shard_size: int, kind: str) -> dict[str, Any]:
    if images_per_shard < 1 or shard_size < 1:
        raise UserError(f"a shard of {images_per_shard} images and {shard_size} bytes holds nothing: give more than 0")
    about = [[source.part, source.fingerprint, source.count] for source in sources]
    return {"images": about, "images_per_shard": images_per_shard, "shard_size": shard_size, "kind": kind}


def _begin(folder: Path, plan: dict[str, Any]) -> bool:
    """Return whether there is something to do."""
    other = UserError(f"{folder} holds shards of other images or settings: choose another folder, or empty this one")
    index, unfinished = folder / INDEX, folder / UNFINISHED
    for path in (unfinished, index):
        if not path.is_file():
            continue
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            found = content if path == unfinished else content["latentia"]["plan"]
        except (ValueError, KeyError, TypeError):
            raise other from None
        if found != plan:
            raise other
        return path == unfinished
    if any(folder.glob("*.tar")):
        raise other
    write_json(unfinished, plan)
    return True


def _claim(lock: Any, folder: Path) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        raise UserError(f"another process packs into {folder}: wait for it, or choose another folder") from None


def _write_shards(folder: Path, sources: list[Packable], images_per_shard: int, shard_size: int, quiet: bool) -> None:
    total = sum(source.count for source in sources)
    progress = _Progress()
    with tqdm(total=total, desc="packing", unit=" images", disable=quiet or None, delay=1.0, leave=False) as bar:
        for source in sources:
            prefix = "" if source.part == "all" else f"{source.part}-"
            progress.place, number = 0, 0
            items: _Items | None = None
            while progress.place < source.count:
                before = progress.place
                name = f"{prefix}{number:06d}.tar"
                entry = _entry(folder, name)
                if entry is not None:
                    progress.place, progress.first = entry["next"], progress.first + entry["nsamples"]
                    items = None
                else:
                    items = items or _Items(source.items(progress.place))
                    _write_shard(folder, name, source, items, progress, images_per_shard, shard_size)
                bar.update(progress.place - before)
                number += 1


class _Items:
    """The items of a source, of which the next can be looked at before it is taken."""

    def __init__(self, items: Iterator[Item]) -> None:
        self._items = items
        self._next: Item | None = None

    def peek(self) -> Item:
        """Return the next item."""
        if self._next is None:
            self._next = next(self._items)
        return self._next

    def take(self) -> None:
        """Go on to the one after it."""
        self._next = None


def _entry(folder: Path, name: str) -> dict[str, Any] | None:
    path = table_path(folder, name).with_suffix(".json")
    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        whole = (folder / name).stat().st_size == found["filesize"] and table_path(folder, name).is_file()
    except (OSError, ValueError, KeyError):
        return None
    return found if whole else None


def _write_shard(
    folder: Path,
    name: str,
    source: Packable,
    items: _Items,
    progress: _Progress,
    images_per_shard: int,
    shard_size: int,
) -> None:
    rows: list[tuple[int, int, int, int]] = []
    names: list[str] = []
    left_out: list[str] = []
    start = progress.place

    def write(temporary: Path) -> None:
        held = 0
        with temporary.open("wb") as file, tarfile.open(fileobj=file, mode="w", format=tarfile.USTAR_FORMAT) as archive:
            while len(rows) < images_per_shard and progress.place < source.count:
                item = items.peek()
                if rows and held + len(item.content) > shard_size:
                    break
                items.take()
                progress.place += 1
                if item.problem:
                    left_out.append(f"{item.name} {item.problem}")
                    continue
                key = key_of(progress.first + len(rows))
                place = archive.offset + BLOCK
                _add(archive, f"{key}.{item.ending}", item.content)
                if item.label is not None:
                    _add(archive, f"{key}.cls", b"%d" % item.label)
                rows.append(
                    (place, len(item.content), -1 if item.label is None else item.label, digest_of(item.content))
                )
                names.append(item.name)
                held += len(item.content)
                archive.members = []  # type: ignore[attr-defined]  # or it would keep every header

    write_atomically(folder / name, write)
    table = table_of(rows)
    written = io.BytesIO()
    np.save(written, table, allow_pickle=False)
    path = table_path(folder, name)
    if source.named:
        write_bytes(path.with_suffix(".txt"), "\n".join(text.replace("\n", " ") for text in names).encode())
    write_bytes(path, written.getvalue())
    with (folder / name).open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    entry = {
        "part": source.part,
        "nsamples": len(rows),
        "filesize": (folder / name).stat().st_size,
        "sha256": sha256,
        "from": start,
        "next": progress.place,
        "left_out": left_out,
    }
    write_json(path.with_suffix(".json"), entry)
    progress.first += len(rows)


def _add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(content)
    archive.addfile(member, io.BytesIO(content))


def _finish(folder: Path, sources: list[Packable], plan: dict[str, Any]) -> None:
    """Write the index of all shards, and take back the mark of unfinished packing."""
    official = frozenset(source.part for source in sources) - {"all"}
    shards, first, left_out = [], 0, []
    for source in sources:
        prefix = "" if source.part == "all" else f"{source.part}-"
        number = 0
        while (entry := _entry(folder, name := f"{prefix}{number:06d}.tar")) is not None:
            number += 1
            left_out += entry["left_out"]
            if not entry["nsamples"]:
                (folder / name).unlink()
                continue
            digests = np.asarray(load_npy(table_path(folder, name))["digest"])
            shards.append(
                Shard(
                    path=folder / name,
                    table=table_path(folder, name),
                    part=source.part,
                    count=entry["nsamples"],
                    first=first,
                    size=entry["filesize"],
                    splits=split_counts(digests, source.part, official),
                    digest=entry["sha256"],
                )
            )
            first += entry["nsamples"]
    if not shards:
        raise UserError(f"not one image could be read, so nothing was packed: {_named(left_out)}")
    one = sources[0]
    notes = list(dict.fromkeys(note for source in sources for note in source.notes))
    if left_out:
        notes.append(f"{len(left_out)} images could not be read and were left out: {_named(left_out)}")
    low, high = (min(source.low for source in sources), max(source.high for source in sources))
    catalogue = Catalogue(tuple(shards), one.form, low, high, one.classes, one.labelled, notes=tuple(notes))
    content = index_json(catalogue, one.name)
    content["latentia"] |= {"plan": plan, "left_out": len(left_out)}
    write_json(folder / INDEX, content)
    (folder / UNFINISHED).unlink()


def _named(left_out: list[str]) -> str:
    return "; ".join(left_out[:NAMED]) + (f"; and {len(left_out) - NAMED} more" if len(left_out) > NAMED else "")
