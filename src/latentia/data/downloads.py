"""Fetching one file from several mirrors, into a cache, with its checksum verified. pooch does the work underneath."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from latentia.core.atomic import storage_errors
from latentia.core.errors import DownloadError, StorageError

TIMEOUT = 30.0  # seconds without a byte after which a mirror counts as stalled
ROUNDS = 2  # how often the list of mirrors is gone through


def fetch(
    name: str,
    mirrors: Sequence[str],
    checksum: str,
    folder: Path,
    *,
    quiet: bool = False,
    timeout: float = TIMEOUT,
    rounds: int = ROUNDS,
) -> Path:
    """Return the path of ``name`` in ``folder``, downloaded from the first mirror that delivers the right content.

    A file that is there with the right checksum is not fetched again; an unfinished download is never taken for a file.

    Args:
        name: the file's name; it is appended to each mirror's address.
        mirrors: addresses that end in ``/``.
        checksum: ``"md5:…"`` or ``"sha256:…"``.
        folder: the cache.
        quiet: leave the progress bar out.
        timeout: seconds without a byte after which a mirror is given up.
        rounds: how often all mirrors are tried.

    Raises:
        DownloadError: no mirror delivered it; each one's reason is named.
        StorageError: it cannot be written.
    """
    import pooch

    with storage_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    reasons: list[str] = []
    for mirror in list(mirrors) * rounds:
        try:
            with _quiet_pooch(), _bar(name, quiet) as bar:
                download = pooch.HTTPDownloader(progressbar=bar, timeout=timeout)
                found = pooch.retrieve(mirror + name, checksum, fname=name, path=folder, downloader=download)
            return Path(found)
        except ValueError:
            reasons.append(f"{_host(mirror)}: wrong checksum")
        except OSError as error:  # what requests raises is one as well
            if isinstance(error, StorageError) or getattr(error, "errno", None) == 28:
                with storage_errors(folder / name):
                    raise
            reasons.append(f"{_host(mirror)}: {_reason(error)}")
    tried = "; ".join(dict.fromkeys(reasons))
    raise DownloadError(
        f"{name} could not be downloaded ({tried}): try again later, or put the file into a folder of your own and name "
        "that with --data-dir or LATENTIA_DATA"
    )


@contextlib.contextmanager
def _bar(name: str, quiet: bool) -> Iterator[Any]:
    if quiet:
        yield False
        return
    from latentia.core.bars import tqdm

    with tqdm(desc=name, unit="B", unit_scale=True, total=0, leave=False, file=sys.stderr, disable=None) as bar:
        yield bar


def _host(mirror: str) -> str:
    from urllib.parse import urlsplit

    return urlsplit(mirror).netloc or mirror


def _reason(error: OSError) -> str:
    text = str(error)
    if "timed out" in text.lower():
        return "stalled"
    status = getattr(getattr(error, "response", None), "status_code", None)
    return f"answered {status}" if status else type(error).__name__


@contextlib.contextmanager
def _quiet_pooch() -> Iterator[None]:
    import pooch

    logger = pooch.get_logger()
    before = logger.level
    logger.setLevel("ERROR")
    try:
        yield
    finally:
        logger.setLevel(before)
