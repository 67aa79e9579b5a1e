"""Shards from elsewhere: their headers are read once, and what was found is cached."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import re
import tarfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from latentia.core.atomic import storage_errors, write_bytes, write_json
from latentia.core.errors import UserError
from latentia.data.cache import entry_key
from latentia.data.helpers import map_files
from latentia.data.looking import stamp
from latentia.data.shards.addresses import Address, Place, place_of
from latentia.data.shards.catalogue import Catalogue, Shard
from latentia.data.shards.form import common_form, evenly
from latentia.data.shards.images import Form, contents
from latentia.data.shards.members import Table, digest_of, table_of
from latentia.data.source import ReadOptions
from latentia.data.splits import only_together, part_called

PICTURES = ("png", "jpg", "jpeg", "webp", "bmp", "tif", "tiff", "gif", "ppm", "pgm", "npy")
SCAN_VERSION = 2
BLOCK = 512  # the bytes in a block of a tar file
ASKED = 16  # shards whose sizes are asked for at once
SEEN_SHARDS, SEEN_EACH = 16, 8  # the images by which the common form is chosen


def catalogue_of(paths: Sequence[Place], options: ReadOptions) -> Catalogue:
    """Return the catalogue of shards that were packed by another program.

    Raises:
        UserError: a shard is not there, cut off, compressed or without images; or the images seen first do not fit together.
    """
    folder = options.cache_dir / "shards"
    with ThreadPoolExecutor(ASKED) as pool:  # shards elsewhere answer slowly, and many at once
        seen = list(pool.map(_seen, paths))
    tables = [folder / f"{entry_key([SCAN_VERSION, *sign])}.npy" for _, sign in seen]
    missing = [(path, table) for path, table in zip(paths, tables, strict=True) if not _is_scanned(table)]
    with storage_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    jobs = [(path.text if isinstance(path, Address) else str(path), str(table)) for path, table in missing]
    for problem in map_files(scan, jobs, title="reading the headers of shards", quiet=options.quiet):
        if problem:
            raise UserError(problem)
    shards, first, top = [], 0, -1
    parts = only_together([_part(path) for path in paths])
    for path, table, part, (size, _) in zip(paths, tables, parts, seen, strict=True):
        about = json.loads(table.with_suffix(".json").read_text(encoding="utf-8"))
        shards.append(Shard(path, table, part, about["images"], first, size, digest=f"{about['digest']}-{size}"))
        first, top = first + about["images"], max(top, about["label"])
    form, low, high, notes = _common_form(shards, options)
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


def _seen(path: Place) -> tuple[int, list[str]]:
    """Return the size of a shard, and what tells it from others and from what it was before."""
    try:
        if isinstance(path, Address):
            size, sign = path.size_and_sign()
            return size, [str(path), f"{size}:{sign}"]
        return path.stat().st_size, [str(path.resolve()), stamp(path)]
    except OSError:
        raise UserError(f"the shard {path} is not there: bring it back, or name shards that are") from None


def scan(path: str, target: str) -> str:
    """Write what the shard at ``path`` holds, and return why that cannot be done, or an empty text.

    ``target`` is the table; beside it are the names (``.txt``), and the number of images, the largest label and a hash of all
    that the table says (``.json``), so that shards are opened without reading their tables.
    """
    rows: dict[str, list[int]] = {}
    labels: dict[str, int] = {}
    place = place_of(path)
    key, stem = "", place.stem  # keys are unique within a shard only
    try:
        with _opened(place) as file, tarfile.open(fileobj=file, mode="r:") as archive:
            while (member := archive.next()) is not None:
                archive.members = []  # type: ignore[attr-defined]  # or it would keep every header
                if not member.isfile():
                    continue
                key, ending = _key_and_ending(member.name)
                if ending in PICTURES and key not in rows:
                    rows[key] = [member.offset_data, member.size, -1, digest_of(f"{stem}/{key}".encode())]
                elif ending in ("cls", "json"):
                    opened = archive.extractfile(member)
                    label = _label(opened.read() if opened else b"", ending)
                    if label is not None:
                        labels[key] = label
    except tarfile.ReadError as error:
        with _opened(place) as file:
            start = file.read(2)
        if start == b"\x1f\x8b":
            return (
                f"the shard {place} is compressed: unpack it with gunzip, for images are read from their places in it"
            )
        if not start:
            return f"the shard {place} is empty: it has no bytes, so copy it anew or leave it out"
        if not rows:
            return f"{place} is no tar file ({error}): copy it anew or leave it out"
        return (
            f"the shard {place} is cut off behind {key!r}, its image number {len(rows):,}: copy it anew or leave it out"
        )
    except (OSError, UserError) as error:
        return f"the shard {place} cannot be read: {getattr(error, 'strerror', None) or error}"
    except Exception as error:
        if isinstance(place, Path):
            raise
        return f"the shard {place} cannot be read: {error}"  # each store's library raises errors of its own
    if not rows:
        return f"the shard {place} holds no images (members that end in {', '.join(PICTURES)}): leave it out"
    for key, label in labels.items():
        if key in rows:
            rows[key][2] = label
    last = list(rows.values())[-1]
    if last[0] + last[1] + BLOCK > _seen(place)[0]:  # a whole tar file ends with empty blocks
        return f"the shard {place} is cut off within {list(rows)[-1]!r}, its last image: copy it anew or leave it out"
    names = [f"{stem}/{name}".replace("\n", " ") for name in rows]
    _write_table(Path(target), table_of([(row[0], row[1], row[2], row[3]) for row in rows.values()]), names)
    return ""


def _opened(place: Place) -> contextlib.AbstractContextManager[Any]:
    return place.open() if isinstance(place, Address) else place.open("rb")


def _write_table(target: Path, table: Table, names: list[str]) -> None:
    content = io.BytesIO()
    np.save(content, table, allow_pickle=False)
    digest = hashlib.blake2b(table.tobytes(), digest_size=16).hexdigest()
    about = {"images": len(table), "label": int(table["label"].max()), "digest": digest}
    write_bytes(target.with_suffix(".txt"), "\n".join(names).encode())
    write_json(target.with_suffix(".json"), about)
    write_bytes(target, content.getvalue())


def _is_scanned(table: Path) -> bool:
    return table.is_file() and table.with_suffix(".json").is_file()


def _key_and_ending(name: str) -> tuple[str, str]:
    folder, _, file = name.rpartition("/")
    stem, _, endings = file.partition(".")  # as webdataset has it: the key ends at the first dot
    return (f"{folder}/{stem}" if folder else stem), endings.rpartition(".")[2].lower()


def _label(content: bytes, ending: str) -> int | None:
    try:
        value = json.loads(content)
        if ending == "json":
            value = next((value[name] for name in ("label", "cls", "class_id") if name in value), None)
        return int(value) if isinstance(value, int) and value >= 0 else None
    except (ValueError, TypeError, UnicodeDecodeError):
        return None


def _part(path: Place) -> str:
    return part_called({path.parent.name.lower(), *re.split(r"[-_.]", path.stem.lower())})


def _common_form(shards: list[Shard], options: ReadOptions) -> tuple[Form, float, float, tuple[str, ...]]:
    seen: list[tuple[str, bytes]] = []
    for number in evenly(len(shards), SEEN_SHARDS):
        shard = shards[number]
        rows = np.array(evenly(shard.count, SEEN_EACH), dtype=np.int64)
        names = shard.names(rows)
        found = contents(shard.path, shard.members()[rows], names.__getitem__, False)
        seen += [
            (f"the image {name!r} in the shard {shard.path}", each) for name, each in zip(names, found, strict=True)
        ]
    return common_form(seen, str(shards[0].path.parent), options)
