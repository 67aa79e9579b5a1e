"""Work that takes longer than a page may stand still: one job at a time, in a thread, with its progress."""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from latentia.core.errors import LatentiaError, UserError

log = logging.getLogger(__name__)
Progress = Callable[[int, int], None]


class Stopped(Exception):
    """The explorer ends; the job's work is of no more use."""


class Jobs:
    """Runs one job at a time.

    Args:
        call_back: hands a function to the thread that serves the page.
        tell: called there when a job begins, goes on, or ends.
    """

    def __init__(self, call_back: Callable[[Callable[[], None]], None], tell: Callable[[], None]) -> None:
        self._call_back, self._tell = call_back, tell
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="explorer")
        self._stopping = False
        self.name = ""
        self.done, self.of = 0, 0

    @property
    def busy(self) -> bool:
        """Whether a job runs."""
        return bool(self.name)

    def start(
        self,
        name: str,
        work: Callable[[Progress], Any],
        finished: Callable[[Any], None],
        failed: Callable[[str], None],
    ) -> None:
        """Begin a job.

        Args:
            name: what it does, in words that follow "busy with".
            work: done in the thread; its argument tells how far it is.
            finished: given the result, in the thread that serves the page.
            failed: given a sentence, there too.

        Raises:
            UserError: another job runs.
        """
        if self.busy:
            raise UserError(f"the explorer is busy with {self.name}: wait until that is done")
        self.name, self.done, self.of = name, 0, 0
        future = self._pool.submit(work, self._progress)
        future.add_done_callback(lambda ended: self._call_back(lambda: self._end(ended, finished, failed)))
        self._tell()

    def stop(self) -> None:
        """End as soon as the job next tells its progress."""
        self._stopping = True
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _progress(self, done: int, of: int) -> None:
        if self._stopping:
            raise Stopped
        before = self.done * 20 // max(1, self.of)
        self.done, self.of = done, of
        if done * 20 // max(1, of) != before:
            self._call_back(self._tell)

    def _end(self, ended: Future[Any], finished: Callable[[Any], None], failed: Callable[[str], None]) -> None:
        name, self.name = self.name, ""
        self._tell()
        error = ended.exception()
        if error is None:
            finished(ended.result())
        elif isinstance(error, LatentiaError):
            failed(str(error))
        elif not isinstance(error, Stopped):
            log.error("%s failed", name, exc_info=error)
            failed(f"{name} failed ({type(error).__name__}): see the explorer's terminal")
