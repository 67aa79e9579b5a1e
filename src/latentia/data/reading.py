"""Reading pieces of a stream side by side: in threads of this process, or in processes of their own. Imports no torch."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from concurrent.futures import BrokenExecutor, Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context

import numpy as np

from latentia.core.children import without_script
from latentia.core.errors import DamagedData, UserError
from latentia.data.stream import Piece, View

READERS = "LATENTIA_READERS"  # how many processes read; threads of this one where it is not set
THREADS = 2

Pieces = list[tuple[int, int, int]]


class Reader:
    """Reads pieces ahead of their use, until its :meth:`end`.

    Args:
        view: the images.

    Attributes:
        process: the number of the process that made it; a fork of that cannot use it, for threads are not forked.

    Raises:
        UserError: ``LATENTIA_READERS`` is no whole number.
    """

    def __init__(self, view: View) -> None:
        self._executor: Executor
        self._submit: Callable[[Pieces], Future[Piece]]
        self.process = os.getpid()
        processes = reader_count() if view.shards.reach.side_by_side else 0
        if processes:
            executor = ProcessPoolExecutor(processes, get_context("spawn"), initializer=_begin, initargs=(view,))
            self._executor, self._submit = executor, lambda pieces: executor.submit(_read_begun, pieces)
        else:
            threads = ThreadPoolExecutor(THREADS if view.shards.reach.side_by_side else 1)
            self._executor, self._submit = threads, lambda pieces: threads.submit(read, view, pieces)

    def end(self) -> None:
        """Let its threads or processes end; what was asked for and not begun is not read."""
        self._executor.shutdown(wait=False, cancel_futures=True)

    def submit(self, pieces: Pieces) -> Future[Piece]:
        """Begin to read ``pieces``; see :func:`result`."""
        try:
            with without_script():
                return self._submit(pieces)
        except BrokenExecutor:
            raise _died() from None


def result(future: Future[Piece]) -> Piece:
    """Return what was read.

    Raises:
        DamagedData: it cannot be read, or its reader was killed.
    """
    try:
        return future.result()
    except BrokenExecutor:
        raise _died() from None


def read(view: View, pieces: Pieces) -> Piece:
    """Return what ``pieces``, each ``(shard, start, stop)``, hold, one after another."""
    found = [view.shards.piece(number, view.split, view.seed, start, stop) for number, start, stop in pieces]
    if len(found) == 1:
        return found[0]
    return Piece(
        np.concatenate([piece.pixels for piece in found]),
        np.concatenate([piece.ids for piece in found]),
        np.concatenate([piece.labels for piece in found]),
        [],
    )


def reader_count() -> int:
    """Return how many processes read, 0 for threads of this process.

    Raises:
        UserError: ``LATENTIA_READERS`` is no whole number.
    """
    text = os.environ.get(READERS) or "0"
    try:
        return max(int(text), 0)
    except ValueError:
        raise UserError(f"{READERS} is {text!r}, but it is a number of processes, such as 4") from None


def _died() -> DamagedData:
    return DamagedData(
        f"a process that reads shards was killed (it may have run out of memory): go on with fewer of them ({READERS}), "
        "or with none"
    )


_view: View | None = None  # of a reading process


def _begin(view: View) -> None:
    global _view
    _view = view
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which ends its readers


def _read_begun(pieces: Pieces) -> Piece:
    assert _view is not None  # a developer's invariant: set when the process began
    return read(_view, pieces)
