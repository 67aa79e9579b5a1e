"""Shards on other machines: an address that the fsspec library opens (object stores, https), read by ranges of bytes.

Requests go where the address says and nowhere else: for the index and the tables beside packed shards, for sizes and headers of
others, and for the images that are used. No image is kept.
"""

from __future__ import annotations

import contextlib
import dataclasses
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from latentia.core.errors import DamagedData, UserError

GAP = 1 << 16  # bytes between images that are read along with them, for fewer requests
TRIES, PAUSE = 3, 0.5  # for a request that fails, and seconds before the next, doubled each time
SIGNS = ("ETag", "etag", "LastModified", "last_modified", "mtime", "created")  # of files, that change when these do


@dataclasses.dataclass(frozen=True)
class Address:
    """A file or a folder that fsspec opens. It has of a path's attributes what shards need.

    Attributes:
        text: such as ``s3://bucket/shards/000000.tar`` or ``https://host/a.tar?key=…``.
    """

    text: str

    @property
    def _pieces(self) -> tuple[str, str, str]:
        """What is before the name (with its slash), the name, and the query of a web address."""
        rest, mark, query = self.text.partition("?") if self.text.startswith("http") else (self.text, "", "")
        before, slash, name = rest.rstrip("/").rpartition("/")
        return before + slash, name, mark + query

    @property
    def name(self) -> str:
        """The last part."""
        return self._pieces[1]

    @property
    def stem(self) -> str:
        """The name without its ending."""
        return self.name.rpartition(".")[0] or self.name

    @property
    def parent(self) -> Address:
        """The folder that it is in; it keeps the query, by which a folder may be opened."""
        before, _, query = self._pieces
        return Address(before.rstrip("/") + query)

    def __truediv__(self, name: str) -> Address:
        before, own, query = self._pieces
        return Address(f"{before}{own}/{name}{query}")

    def __str__(self) -> str:
        before, name, _ = self._pieces  # a query may hold a key, which belongs in no message
        return before + name

    def read_bytes(self) -> bytes:
        """Return the whole file.

        Raises:
            FileNotFoundError: it is not there. UserError: it cannot be reached.
        """
        with self._told():
            files, path = self._opened()
            content: bytes = _tried(lambda: files.cat_file(path))
        return content

    def size_and_sign(self) -> tuple[int, str]:
        """Return how many bytes it has, and what else changes when it does.

        Raises:
            FileNotFoundError: it is not there. UserError: it cannot be reached, or its size is not told.
        """
        with self._told():
            files, path = self._opened()
            about = _tried(lambda: files.info(path))
        if about.get("size") is None:
            raise UserError(f"{self} cannot be read in parts, for its server does not say how long it is: copy it here")
        return int(about["size"]), " ".join(str(about[sign]) for sign in SIGNS if sign in about)

    @contextlib.contextmanager
    def open(self) -> Iterator[IO[bytes]]:
        """Open it to be read forwards.

        Raises:
            FileNotFoundError: it is not there. UserError: it cannot be reached.
        """
        with self._told():
            files, path = self._opened()
            opened = _tried(lambda: files.open(path, "rb"))
        with opened:
            yield opened

    def ranges(self, spans: list[tuple[int, int]]) -> Iterator[bytes]:
        """Yield the bytes of each ``(offset, size)``, in rising order; those that lie close together are one request.

        Raises:
            DamagedData: it cannot be read, or its server sends whole files only.
        """
        joined = _joined(spans)
        with self._told(DamagedData):
            files, path = self._opened()
            starts, ends = [start for start, _ in joined], [end for _, end in joined]
            found = _tried(lambda: files.cat_ranges([path] * len(joined), starts, ends, on_error="raise"))
        number = 0
        for offset, size in spans:
            while offset + size > joined[number][1]:
                number += 1
            start, end = joined[number]
            if len(found[number]) > end - start:
                raise DamagedData(
                    f"{self} cannot be read in parts, for its server sends whole files only: copy it here"
                )
            yield found[number][offset - start : offset - start + size]

    def like(self) -> list[Address]:
        """Return the files whose addresses fit the wildcards in this one, sorted."""
        with self._told():
            files, path = self._opened()
            return [Address(files.unstrip_protocol(name)) for name in sorted(_tried(lambda: files.glob(path)))]

    def _opened(self) -> tuple[Any, str]:
        try:
            from fsspec.core import url_to_fs
        except ImportError:
            raise UserError(f"{self} is read by the package fsspec: pip install 'latentia[remote]'") from None
        try:
            files, path = url_to_fs(self.text)
        except (ImportError, ValueError) as error:  # the package of a store is missing, or there is no such store
            raise UserError(f"{self} cannot be opened: {error}") from None
        return files, path

    @contextlib.contextmanager
    def _told(self, kind: type[Exception] = UserError) -> Iterator[None]:
        """Turn what the library raises into one sentence."""
        try:
            yield
        except (UserError, DamagedData):
            raise
        except Exception as error:  # each store's library raises errors of its own
            # a store that may not be listed says "forbidden" of what is not there
            if isinstance(error, FileNotFoundError | PermissionError) or getattr(error, "status", 0) in (403, 404, 410):
                if kind is UserError:
                    raise FileNotFoundError(f"{self} is not there, or may not be read") from None
                raise kind(
                    f"the shard {self} is not there, or may not be read any more: bring it back and go on"
                ) from None
            reason = " ".join(str(error).replace(self.text, str(self)).split()) or type(error).__name__
            raise kind(f"{self} cannot be read: {reason[:300]}") from None


Place = Path | Address
"""Where a shard or a folder of shards lies: on this machine, or elsewhere."""


def place_of(text: str) -> Place:
    """Return the place that a location names."""
    return Address(text) if is_address(text) else Path(text).expanduser()


def is_address(text: str) -> bool:
    """Return whether a location is an address, and no path of this machine."""
    return re.match(r"[A-Za-z][\w+.-]*://", text) is not None


def _joined(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return begins and ends of what is read at once for the ``(offset, size)``."""
    found: list[tuple[int, int]] = []
    for offset, size in spans:
        if found and found[-1][0] <= offset <= found[-1][1] + GAP:
            found[-1] = found[-1][0], max(found[-1][1], offset + size)
        else:
            found.append((offset, offset + size))
    return found


def _tried(ask: Any) -> Any:
    """Return what ``ask`` gives, asked again where it fails for what may pass."""
    for turn in range(TRIES):
        try:
            return ask()
        except (FileNotFoundError, PermissionError, ImportError, NotImplementedError):
            raise
        except Exception:  # each store's library raises errors of its own
            if turn == TRIES - 1:
                raise
            time.sleep(PAUSE * 2**turn)
    raise AssertionError  # a developer's invariant: the last try returns or raises
