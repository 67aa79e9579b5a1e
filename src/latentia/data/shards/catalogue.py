"""The catalogue of some shards: which there are, what lies in each, and what every image is brought to.

``latentia pack`` writes one as ``index.json``, with a table for each shard in ``members/``; for shards from elsewhere the
same is made once, by reading their headers, and cached. ``index.json`` is an index for the ``wids`` library as well.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from latentia.core.atomic import storage_errors, write_bytes
from latentia.core.errors import DamagedData, UserError
from latentia.core.npy import load_npy
from latentia.data.cache import entry_key
from latentia.data.imageset import PixelFormat
from latentia.data.kept import Kept
from latentia.data.shards.addresses import Address, Place
from latentia.data.shards.images import Form, decoded
from latentia.data.shards.members import MEMBER, Table, rows_of
from latentia.data.splits import SPLIT_SEED, SPLITS
from latentia.data.stream import NO_PIXELS, Piece, Reach

INDEX, UNFINISHED, MEMBERS, VERSION = "index.json", "packing.json", "members", 1
KEPT_ROWS, KEPT_TABLES, KEPT_NAMES = 1 << 25, 1 << 23, 1 << 23  # bytes of each that are kept of the shards read last


@dataclasses.dataclass(frozen=True)
class Shard:
    """One shard.

    Attributes:
        path: the tar file, on this machine or elsewhere.
        table: the ``.npy`` file that says what lies in it; a ``.txt`` file beside it holds names, where images have any.
        part: the official part it belongs to, ``all`` where there are none.
        count: how many images it holds.
        first: the id of the first of them; the others follow.
        size: the bytes of the tar file.
        splits: how many of its images are in each split under the default seed; empty where that is not known.
        digest: the hash of the tar file (packed ones) or of its table.
        origin: the folder elsewhere from which the table and the names are fetched when they are first asked for.
    """

    path: Place
    table: Path
    part: str
    count: int
    first: int
    size: int
    splits: dict[str, int] = dataclasses.field(default_factory=dict)
    digest: str = ""
    origin: Address | None = None

    def members(self) -> Table:
        """Return the table, memory-mapped.

        Raises:
            DamagedData: it is not there or not whole.
        """
        self._fetch(self.table)
        try:
            table = load_npy(self.table, mapped=True)
        except (OSError, ValueError) as error:
            raise DamagedData(f"the table {self.table} of the shard {self.path} cannot be read: {error}") from None
        if len(table) != self.count:
            raise DamagedData(
                f"the table {self.table} of the shard {self.path} holds {len(table)} images, but {self.count} were packed"
            )
        return table

    def own_names(self) -> list[str]:
        """Return the name of each image; nothing where they have none but the numbers they were packed under."""
        path = self.table.with_suffix(".txt")
        self._fetch(path)
        text = path.read_text(encoding="utf-8") if path.is_file() else ""
        return text.split("\n") if text else []

    def names(self, rows: npt.NDArray[np.int64], own: list[str] | None = None) -> list[str]:
        """Return the names of the images at ``rows``: their own (``own``, where they were read before), or numbers."""
        every = self.own_names() if own is None else own
        return [every[row] if every else key_of(self.first + row) for row in rows.tolist()]

    def _fetch(self, path: Path) -> None:
        """Fetch the table, or the names (an empty file where there are none), where they lie elsewhere and are not here yet."""
        if self.origin is None or path.is_file():
            return
        try:
            content = (self.origin / f"{self.path.stem}{path.suffix}").read_bytes()
        except FileNotFoundError as error:
            if path == self.table:
                raise DamagedData(
                    f"the table of the shard {self.path} is missing ({error}): bring it there, too"
                ) from None
            content = b""
        with storage_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
        write_bytes(path, content)


@dataclasses.dataclass(frozen=True)
class Catalogue:
    """Shards that belong together, and what their images are.

    Attributes:
        shards: in the order of their images' ids.
        form: what every image is brought to; ``low`` and ``high`` are the pixel values that stand for 0 and 1.
        classes: the name of each label; ``labelled`` says whether images have labels.
        verified: whether digests are those of the images' bytes (of their names else), so that bytes are checked by them.
        notes: sentences a person should see.
    """

    shards: tuple[Shard, ...]
    form: Form
    low: float
    high: float
    classes: tuple[str, ...] = ()
    labelled: bool = False
    verified: bool = True
    notes: tuple[str, ...] = ()

    @property
    def format(self) -> PixelFormat:
        """The images' pixel format."""
        return PixelFormat(*self.form.shape, self.form.dtype, self.low, self.high)

    @property
    def reach(self) -> Reach:
        """Any piece, at any time."""
        return Reach()

    @functools.cached_property
    def official(self) -> frozenset[str]:
        """The official parts that there are."""
        return frozenset(shard.part for shard in self.shards) - {"all"}

    def of_part(self, part: str) -> Catalogue:
        """Return the shards of one official part, which are then all there is."""
        chosen = [dataclasses.replace(shard, part="all", splits={}) for shard in self.shards if shard.part == part]
        return dataclasses.replace(self, shards=tuple(chosen))

    def counts(self, split: str, seed: int) -> npt.NDArray[np.int64]:
        """Return how many images of ``split`` are in each shard, int64 ``[S]``."""
        if split == "all":
            return np.array([shard.count for shard in self.shards], dtype=np.int64)
        known = seed == SPLIT_SEED and all(split in shard.splits for shard in self.shards)
        if known:
            return np.array([shard.splits[split] for shard in self.shards], dtype=np.int64)
        return np.array([len(self.rows(number, split, seed)) for number in range(len(self.shards))], dtype=np.int64)

    def rows(self, number: int, split: str, seed: int) -> npt.NDArray[np.int64]:
        """Return the rows of shard ``number`` that belong to ``split``, in order."""
        shard = self.shards[number]

        def make() -> npt.NDArray[np.int64]:
            return rows_of(np.asarray(self._table(number)["digest"]), shard.part, split, seed, self.official)

        return self._kept_rows.get((number, split, seed), make, 8 * shard.count)

    def piece(
        self, number: int, split: str, seed: int, start: int, stop: int, pixels: bool = True, names: bool = False
    ) -> Piece:
        """Return the images of ``split`` in shard ``number`` from place ``start`` to ``stop``.

        Raises:
            DamagedData: the shard, or an image in it, is not what it was.
        """
        shard = self.shards[number]
        rows = self.rows(number, split, seed)[start:stop]
        found = NO_PIXELS
        if pixels:
            found = np.empty((len(rows), *self.form.shape), dtype=self.form.dtype)
            for place, (_, image) in enumerate(self.stored(number, rows)):
                found[place] = image
        labels: Any = self._table(number)["label"][rows]
        return Piece(
            pixels=found,
            ids=shard.first + rows,
            labels=labels,
            names=self.names(number, rows) if names else [],
        )

    def names(self, number: int, rows: npt.NDArray[np.int64]) -> list[str]:
        """Return the names of the images at ``rows`` of shard ``number``."""
        shard = self.shards[number]
        return shard.names(rows, self._kept_names.get(number, shard.own_names, 100 * shard.count))

    def stored(self, number: int, rows: npt.NDArray[np.int64]) -> Iterator[tuple[bytes, npt.NDArray[Any]]]:
        """Yield the bytes in shard ``number``, and the pixels, of the images at ``rows``, in rising order.

        Raises:
            DamagedData: the shard, or an image in it, is not what it was.
        """
        path, table = self.shards[number].path, self._table(number)[rows]
        return decoded(path, table, lambda place: self.names(number, rows[[place]])[0], self.verified, self.form)

    def _table(self, number: int) -> Table:
        shard = self.shards[number]
        return self._kept_tables.get(number, shard.members, MEMBER.itemsize * shard.count)

    @functools.cached_property
    def _kept_rows(self) -> Kept[npt.NDArray[np.int64]]:
        return Kept(KEPT_ROWS)

    @functools.cached_property
    def _kept_tables(self) -> Kept[Table]:
        return Kept(KEPT_TABLES)

    @functools.cached_property
    def _kept_names(self) -> Kept[list[str]]:
        return Kept(KEPT_NAMES)

    def fingerprint(self, split: str, seed: int) -> str:
        """Return a hash that changes when images, their order, their labels or the split do."""
        hashed = hashlib.blake2b(repr((split, seed, dataclasses.astuple(self.form))).encode(), digest_size=16)
        for shard in self.shards:
            hashed.update(f"{shard.digest} {shard.part} {shard.first} {shard.count}\n".encode())
        return hashed.hexdigest()


def key_of(number: int) -> str:
    """Return the key under which image ``number`` is packed."""
    return f"{number:09d}"


def split_counts(digests: npt.NDArray[np.uint64], part: str, official: frozenset[str]) -> dict[str, int]:
    """Return how many images are in each split under the default seed."""
    return {split: len(rows_of(digests, part, split, SPLIT_SEED, official)) for split in SPLITS}


def index_json(catalogue: Catalogue, name: str) -> dict[str, Any]:
    """Return what ``index.json`` holds; the shards are beside it."""
    return {
        "wids_version": 1,  # https://github.com/webdataset/webdataset: `shardlist` with `url` and `nsamples`
        "name": name,
        "shardlist": [
            {
                "url": shard.path.name,
                "nsamples": shard.count,
                "filesize": shard.size,
                "sha256": shard.digest,
                "part": shard.part,
                "splits": shard.splits,
            }
            for shard in catalogue.shards
        ],
        "latentia": {
            "version": VERSION,
            "images": sum(shard.count for shard in catalogue.shards),
            "bytes": sum(shard.size for shard in catalogue.shards),
            "form": dataclasses.asdict(catalogue.form),
            "low": catalogue.low,
            "high": catalogue.high,
            "classes": list(catalogue.classes),
            "labelled": catalogue.labelled,
            "notes": list(catalogue.notes),
        },
    }


def read_index(folder: Place, cache: Path | None = None) -> Catalogue | None:
    """Return the catalogue that ``latentia pack`` wrote into ``folder``, or ``None`` where there is none.

    Args:
        folder: where the shards lie.
        cache: where tables of shards that lie elsewhere are kept.

    Raises:
        UserError: it is of a newer version, or damaged, or a shard is not there or of another size.
    """
    path = folder / INDEX
    try:
        content = json.loads(path.read_bytes())
        about = content["latentia"]
    except FileNotFoundError:
        return None
    except UserError:
        raise
    except (OSError, ValueError, KeyError, TypeError) as error:
        if isinstance(error, KeyError):
            return None  # an index of another program
        raise UserError(f"{path} cannot be read ({error}): pack the images again") from None
    if about["version"] != VERSION:
        raise UserError(f"{path} is of version {about['version']}, but this Latentia reads version {VERSION}")
    shards, first = [], 0
    origin = folder / MEMBERS if isinstance(folder, Address) else None
    for entry in content["shardlist"]:
        shards.append(
            Shard(
                path=folder / entry["url"],
                table=_kept_table(cache, entry["sha256"]) if origin else table_path(Path(str(folder)), entry["url"]),
                part=entry["part"],
                count=entry["nsamples"],
                first=first,
                size=entry["filesize"],
                splits=entry["splits"],
                digest=entry["sha256"],
                origin=origin,
            )
        )
        first += entry["nsamples"]
    return Catalogue(
        shards=tuple(shards),
        form=Form.from_json(about["form"]),
        low=about["low"],
        high=about["high"],
        classes=tuple(about["classes"]),
        labelled=about["labelled"],
        notes=tuple(about["notes"]),
    )


def check_files(shards: Sequence[Shard]) -> None:
    """Raise a :class:`UserError` that names the first shard that is not there, or not of the size it was packed with."""
    for shard in shards:
        assert isinstance(shard.path, Path)  # a developer's invariant: what lies elsewhere is not asked for one by one
        try:
            size = shard.path.stat().st_size
        except OSError:
            raise UserError(f"the shard {shard.path} is not there: bring it back, or pack the images again") from None
        if size != shard.size:
            state = "cut off" if size < shard.size else "another one"
            raise UserError(
                f"the shard {shard.path} is {state}: it has {size:,} bytes, but was packed with {shard.size:,}; "
                "copy it anew, or pack the images again"
            )


def _kept_table(cache: Path | None, digest: str) -> Path:
    assert cache is not None  # a developer's invariant: given where shards may lie elsewhere
    return cache / "shards" / f"{entry_key(['table', digest])}.npy"


def table_path(folder: Path, name: str) -> Path:
    """Return where the table of the shard ``name`` lies."""
    return folder / MEMBERS / f"{Path(name).stem}.npy"
