"""A folder of images, flat or nested: decoded once, in parallel, into a cache on disk that is keyed by content."""

from __future__ import annotations

import collections
import contextlib
import dataclasses
import functools
import gc
import json
import math
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar, cast

import numpy as np
import numpy.typing as npt

from latentia.core.atomic import storage_errors, write_bytes
from latentia.core.errors import UserError
from latentia.data.cache import entry_key, read_entry, write_entry
from latentia.data.decode import common_layout, common_size, decode_bytes, widened
from latentia.data.helpers import Helpers, map_files
from latentia.data.imageset import Geometry, ImageSet
from latentia.data.looking import LAYOUTS, Header, dtype_of, look, stamp
from latentia.data.source import ReadOptions, Source
from latentia.data.splits import PARTS

CACHE_VERSION = 1
TOGETHER = 2**28  # bytes of pixels that are decoded before they are written
INDEX_VERSION = 3
NUMBERS = re.compile(r"(\d+)")
NAMED = 3  # so many skipped files are named, the others counted


@dataclasses.dataclass(frozen=True)
class Folder(Source):
    """All images below a folder.

    When every image lies in a sub-folder, and there are at least two of these, their names are labels; sub-folders called
    ``train`` and ``test`` (and ``validation``) are official parts. Hidden files are not looked at. EXIF orientation is
    applied, of files with several pages the first is taken.
    """

    priority: ClassVar[int] = 10

    def matches(self, location: str) -> bool:
        """Return whether ``location`` is a folder."""
        return Path(location).is_dir()

    def parts(self, location: str, options: ReadOptions) -> tuple[str, ...]:
        """Return the official parts that sub-folders are named after."""
        found = tuple(part for part in PARTS if _part_folder(Path(location), part) is not None)
        return found if "train" in found and "test" in found else ("all",)

    def read(self, location: str, part: str, options: ReadOptions) -> ImageSet:
        """Return the images of one part."""
        offset = {"train": 0, "validation": 20_000_000, "test": 10_000_000}.get(part, 0)
        with _uncollected(), Helpers() as helpers:
            looked = _Looked(TOGETHER)
            files = self.files(location, part, options, helpers, looked)
            images = _images(files, options, helpers, looked)
        return dataclasses.replace(images, source=location, split=part, ids=images.ids + offset)

    def files(
        self,
        location: str,
        part: str,
        options: ReadOptions,
        helpers: Helpers | None = None,
        looked: _Looked | None = None,
    ) -> Files:
        """Return the files of one part, and what their images are to be brought to.

        ``helpers`` work on them; without, processes of their own. ``looked`` keeps pixels; without, none are kept.
        """
        if helpers is None:
            with Helpers() as helpers:
                return self.files(location, part, options, helpers, looked)
        options.check_policy()
        root = Path(location)
        place = root if part == "all" else _part_folder(root, part)
        assert place is not None  # a part is asked for only where it was found
        names = _list(place)
        if not names:
            raise UserError(f"the folder {str(place)!r} is empty: it holds no files")
        index = options.cache_dir / "headers" / f"{entry_key([str(place.resolve()), INDEX_VERSION])}.json"
        known = _known(index)
        helpers.begin(len(names) - len(known))  # now, so that they are ready when there is something to do
        names.sort(key=_natural)
        headers = _headers(place, names, index, known, options.quiet, helpers, looked or _Looked(0))
        good = [(name, header) for name, header in zip(names, headers, strict=True) if not header.problem]
        bad = [(name, header) for name, header in zip(names, headers, strict=True) if header.problem]
        if not good and any(name.endswith(".tar") for name in names):
            raise UserError(f"the folder {str(place)!r} holds shards: name it as wds:{place}")
        if not good:
            count = "one file" if len(names) == 1 else f"{len(names)} files"
            raise UserError(f"the folder {str(place)!r} holds no image, but {count}: {_named(bad)}")
        size, policy, note = _choose_size([(header.height, header.width) for _, header in good], options)
        layouts = collections.Counter(header.layout for _, header in good)
        own = common_layout(set(layouts))
        layout = widened(own, options.channels)
        labels, classes = _labels([name for name, _ in good])
        return Files(
            place=place,
            good=good,
            layout=layout,
            size=size,
            policy=policy,
            labels=labels,
            classes=classes,
            notes=(*filter(None, (note, _mixture(layouts, own), _widening(own, layout))), *_notes(place, good, bad)),
        )


@dataclasses.dataclass(frozen=True)
class Files:
    """The image files of a folder.

    Attributes:
        place: the folder; ``good`` the names in it, and what is known of each file.
        layout, size, policy: what every image is brought to, and how.
        labels: int64 ``[N]``, or ``None``; ``classes`` are their names.
        notes: sentences a person should see.
    """

    place: Path
    good: list[tuple[str, Header]]
    layout: str
    size: tuple[int, int]
    policy: str
    labels: npt.NDArray[np.int64] | None
    classes: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def shape(self) -> tuple[int, int, int]:
        """``(C, H, W)`` of every image."""
        return LAYOUTS[self.layout][0], *self.size

    @property
    def dtype(self) -> str:
        """The dtype of every image."""
        return dtype_of(self.layout)

    @property
    def key(self) -> str:
        """A hash of what determines the pixels."""
        digests = [(name, header.digest) for name, header in self.good]
        return entry_key([CACHE_VERSION, self.layout, self.size, self.policy, digests])


@contextlib.contextmanager
def _uncollected() -> Iterator[None]:
    """Search for no garbage inside: among the objects of many files that takes an eighth of the time, and there is none."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()


def _part_folder(root: Path, part: str) -> Path | None:
    return next((root / name for name in PARTS[part] if (root / name).is_dir()), None)


def _list(place: Path) -> list[str]:
    """Return the names of the files below a folder, hidden ones apart; what may not be read inside is passed over."""
    names, folders = [], [""]
    while folders:
        inside = folders.pop()
        try:
            with os.scandir(place / inside) as entries:
                seen = [entry for entry in entries if not entry.name.startswith(".")]
        except PermissionError as error:
            if not inside:
                raise UserError(f"the folder {str(place)!r} may not be read: {error}") from None
            continue
        names += [inside + entry.name for entry in seen if entry.is_file()]
        folders += [f"{inside}{entry.name}/" for entry in seen if entry.is_dir(follow_symlinks=False)]
    return names


def _natural(name: str) -> tuple[str, str]:
    """Return what to sort by, so that ``9`` comes before ``10``, and numbers before letters.

    One text, which is compared far faster than a list: each number is marked, and has its length before it.
    """
    pieces = NUMBERS.split(name.lower())
    for place in range(1, len(pieces), 2):
        plain = pieces[place] if pieces[place].isascii() else str(int(pieces[place]))
        digits = plain.lstrip("0")
        pieces[place] = f"\0{chr(len(digits))}{digits}"
    return "".join(pieces), name


def _known(index: Path) -> dict[str, tuple[str, Header]]:
    """Return what an earlier look found: the stamp and the header of each file."""
    try:
        found = json.loads(index.read_text(encoding="utf-8"))
        kinds = [found["kinds"][kind] for kind in found["kind"]]
        headers = [Header(digest, *kind) for digest, kind in zip(found["digests"], kinds, strict=True)]
        return dict(zip(found["names"], zip(found["stamps"], headers, strict=True), strict=True))
    except (OSError, ValueError, KeyError, TypeError, IndexError):
        return {}


def _keep(index: Path, rows: list[tuple[str, str, Header]]) -> None:
    """Write name, stamp and header of each file for the next look: by columns, for most headers differ in their digest alone."""
    kinds: dict[tuple[Any, ...], int] = {}
    found = {
        "names": [name for name, _, _ in rows],
        "stamps": [mark for _, mark, _ in rows],
        "digests": [header.digest for _, _, header in rows],
        "kind": [kinds.setdefault(header[1:], len(kinds)) for _, _, header in rows],
        "kinds": list(kinds),
    }
    with storage_errors(index):
        index.parent.mkdir(parents=True, exist_ok=True)
    write_bytes(index, json.dumps(found).encode())


@dataclasses.dataclass
class _Looked:
    """The pixels of files that were looked at, in their own layout and size, for as long as they all fit.

    Attributes:
        most: the bytes that all of them may take together.
        pixels: by name, as bytes.
    """

    most: int
    pixels: dict[str, bytes] = dataclasses.field(default_factory=dict)


def _headers(
    place: Path,
    names: list[str],
    index: Path,
    known: dict[str, tuple[str, Header]],
    quiet: bool,
    helpers: Helpers,
    looked: _Looked,
) -> list[Header]:
    """Return the header of every file; unchanged files (path, size, time) are not opened again."""
    changed = [name for name in names if name not in known or known[name][0] != stamp(f"{place}/{name}")]
    jobs = [(f"{place}/{name}", looked.most // len(changed)) for name in changed]
    found = map_files(look, jobs, title="reading files", quiet=quiet, helpers=helpers)
    fresh = {name: (mark, header) for name, (mark, header, _) in zip(changed, found, strict=True)}
    both = known | fresh
    if changed or len(known) != len(names):
        _keep(index, [(name, *both[name]) for name in names])
    looked.pixels |= {name: pixels for name, (_, _, pixels) in zip(changed, found, strict=True) if pixels is not None}
    return [both[name][1] for name in names]


def _images(files: Files, options: ReadOptions, helpers: Helpers, looked: _Looked) -> ImageSet:
    folder, key, good = options.cache_dir / "folders", files.key, files.good
    entry = read_entry(folder, key)
    if entry is None:
        _fill(folder, key, files, options, helpers, looked)
        entry = read_entry(folder, key)
    if entry is None:
        raise UserError(f"the cache entry {folder / key} cannot be read: delete it and try again")
    return ImageSet(
        pixels=entry[0],
        names=[name for name, _ in good],
        ids=np.arange(len(good), dtype=np.int64),
        labels=files.labels,
        classes=files.classes,
        geometry=_geometry(files),
        groups=_groups([header.digest for _, header in good]),
        notes=files.notes,
        root=str(files.place),
    )


def _geometry(files: Files) -> tuple[Geometry, ...]:
    """Return how each image came to the common size: one object for all that came alike."""

    @functools.cache
    def geometry(height: int, width: int, mode: str) -> Geometry:
        return Geometry(height, width, mode, "none" if (height, width) == files.size else files.policy)

    return tuple([geometry(header.height, header.width, header.mode) for _, header in files.good])


def _choose_size(sizes: list[tuple[int, int]], options: ReadOptions) -> tuple[tuple[int, int], str, str]:
    policy = "resize" if options.policy == "auto" else options.policy
    if len(set(sizes)) == 1 and options.size in (None, sizes[0]):
        return sizes[0], "none", ""
    if options.size is not None:
        return options.size, policy, ""
    size, what = common_size(sizes, policy)
    note = f"the images have {len(set(sizes))} different sizes and are {what} (choose with --size and --policy)"
    return size, policy, note


def _mixture(layouts: Mapping[str, int], layout: str) -> str:
    """Return what a person should know of images of several modes: one with an alpha channel gives all of them four channels."""
    if len(layouts) == 1:
        return ""
    *most, last = [f"{count:,} {mode}" for mode, count in sorted(layouts.items(), key=lambda each: -each[1])]
    return f"the images are of different modes ({', '.join(most)} and {last}) and are all read as {layout}"


def _widening(own: str, layout: str) -> str:
    return (
        ""
        if own == layout
        else f"the images are {own} and are read as {layout}: {LAYOUTS[layout][0]} channels are wanted"
    )


def _fill(folder: Path, key: str, files: Files, options: ReadOptions, helpers: Helpers, looked: _Looked) -> None:
    good = files.good
    # images whose pixels stand in memory at once
    block = max(256, TOGETHER // (math.prod(files.shape) * np.dtype(files.dtype).itemsize))

    def fill(pixels: npt.NDArray[Any]) -> None:
        for start in range(0, len(good), block):
            done = [
                _as_wanted(looked.pixels.pop(name, None), header, files) for name, header in good[start : start + block]
            ]
            missing = [offset for offset, found in enumerate(done) if found is None]
            jobs = [
                (f"{files.place}/{good[start + offset][0]}", files.layout, files.size, files.policy)
                for offset in missing
            ]
            title = f"decoding {start:,}+ of {len(good):,}"
            decoded = map_files(decode_bytes, jobs, title=title, quiet=options.quiet, helpers=helpers)
            for offset, found in zip(missing, decoded, strict=True):
                done[offset] = found
            whole = np.frombuffer(b"".join(cast(list[bytes], done)), files.dtype)
            pixels[start : start + len(done)] = whole.reshape(-1, *files.shape)

    write_entry(folder, key, (len(good), *files.shape), files.dtype, {"layout": files.layout}, fill)


def _as_wanted(pixels: bytes | None, header: Header, files: Files) -> bytes | None:
    """Return the pixels where they are already as all images are to be, else ``None``."""
    wanted = (header.layout, header.height, header.width) == (files.layout, *files.size)
    return pixels if wanted else None


def _labels(names: list[str]) -> tuple[npt.NDArray[np.int64] | None, tuple[str, ...]]:
    tops = [name.split("/")[0] if "/" in name else None for name in names]
    classes = tuple(sorted({top for top in tops if top is not None}))
    if None in tops or len(classes) < 2:
        return None, ()
    position = {name: index for index, name in enumerate(classes)}
    return np.array([position[str(top)] for top in tops], dtype=np.int64), classes


def _groups(digests: list[str]) -> npt.NDArray[np.int64] | None:
    if len(set(digests)) == len(digests):
        return None
    first: dict[str, int] = {}
    return np.array([first.setdefault(digest, index) for index, digest in enumerate(digests)], dtype=np.int64)


def _notes(place: Path, good: list[tuple[str, Header]], bad: list[tuple[str, Header]]) -> list[str]:
    notes = []
    if bad:
        notes.append(f"{len(bad)} of {len(good) + len(bad)} files in {place} were skipped: {_named(bad)}")
    first: dict[str, str] = {}
    twins = [(first[header.digest], name) for name, header in good if first.setdefault(header.digest, name) != name]
    if twins:
        notes.append(
            f"{'one file holds' if len(twins) == 1 else f'{len(twins)} files hold'} the same picture as another and stay in one "
            "split with it "
            f"(first: {twins[0][0]} and {twins[0][1]})"
        )
    paged = [name for name, header in good if header.pages > 1]
    if paged:
        notes.append(f"{len(paged)} files have several pages, of which the first is used (first: {paged[0]})")
    if len(good) == 1:
        notes.append(f"{place} holds a single image: nothing can be set aside for validation")
    return notes


def _named(bad: list[tuple[str, Header]]) -> str:
    named = "; ".join(f"{name} {header.problem}" for name, header in bad[:NAMED])
    return named + (f"; and {len(bad) - NAMED} more" if len(bad) > NAMED else "")
