"""Processes that work on many files beside this one, which works on them, too. Imports no torch."""

from __future__ import annotations

import contextlib
import signal
import time
from collections.abc import Callable, Sequence
from multiprocessing import current_process, get_context
from multiprocessing.connection import Connection, wait
from queue import SimpleQueue
from threading import Thread
from typing import Any, Self

from latentia.core.children import without_script
from latentia.core.cores import cores
from latentia.core.errors import LatentiaError

IN_PROCESS = 300  # files up to which processes are not worth their start
GIVEN = 64  # files that a helper gets at once, at most
WAITING = 2  # pieces that a helper has, so that it need not wait for the next one
OWN_SECONDS = 0.003  # that this process works by itself before it looks at the helpers
ENDED = (EOFError, OSError)  # what a pipe says whose other end is gone

Jobs = Sequence[tuple[Any, ...]]


class Helpers:
    """As many processes as there are cores beside this one's; a context, so that they end.

    They start when :meth:`begin` is called with enough files, or at the first :func:`map_files`, and serve several of these. One
    that is not ready yet, or never is, gets no work and holds nothing up.

    Args:
        processes: how many work, this one included; by default as many as there are cores.
    """

    def __init__(self, processes: int | None = None) -> None:
        self._count = (processes or cores()) - 1
        self._begun = False
        self.waking: list[Connection] = []
        self.ready: list[Connection] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        for connection in (*self.waking, *self.ready):
            connection.close()  # at which a helper ends, after what it has in hand

    def begin(self, files: int) -> None:
        """Start the processes where ``files`` are worth it and they have not been started."""
        if self._begun or files < IN_PROCESS or current_process().daemon:  # a worker of a pool may start none
            return
        self._begun = True
        context = get_context("spawn")
        for _ in range(self._count):
            here, there = context.Pipe()
            with without_script():
                context.Process(target=_serve, args=(there,)).start()
            there.close()
            self.waking.append(here)

    def wake(self) -> None:
        """Count those as ready that have said so."""
        for connection in wait(self.waking, 0) if self.waking else ():
            assert isinstance(connection, Connection)  # a developer's invariant: nothing else is waited for
            self.waking.remove(connection)
            with contextlib.suppress(*ENDED):
                connection.recv()
                self.ready.append(connection)


def map_files(
    function: Callable[..., Any], jobs: Jobs, *, title: str, quiet: bool, helpers: Helpers | None = None
) -> list[Any]:
    """Return ``function(*job)`` for all jobs, in order, worked on by this process and ``helpers``, with a progress bar.

    Raises:
        LatentiaError: a helper was killed.
    """
    from latentia.core.bars import tqdm

    few = len(jobs) < IN_PROCESS
    with (
        contextlib.ExitStack() as stack,
        tqdm(total=len(jobs), desc=title, unit=" files", disable=quiet or few, leave=False) as bar,
    ):
        helpers = helpers or stack.enter_context(Helpers())
        helpers.begin(len(jobs))
        return _Shared(function, jobs, helpers, bar.update).work(title)


class _Shared:
    """Jobs that are shared out in smaller and smaller pieces, so that all end at the same time."""

    def __init__(
        self, function: Callable[..., Any], jobs: Jobs, helpers: Helpers, tell: Callable[[int], object]
    ) -> None:
        self.function, self.jobs, self.helpers, self.tell = function, jobs, helpers, tell
        self.results: list[Any] = [None] * len(jobs)
        self.next = 0
        self.given: dict[Connection, list[slice]] = {}  # in the order that they were given in

    def work(self, title: str) -> list[Any]:
        while self.next < len(self.jobs) or self.given:
            try:
                self._give()
                self._take(None if self.next == len(self.jobs) else 0)
            except (EOFError, ConnectionError):
                raise LatentiaError(
                    f"a process that was {title} has ended before its time (killed, or out of memory?), so nothing was kept of "
                    "them: start again, with more free memory or a smaller --size"
                ) from None
            self._own()
        return self.results

    def _part(self, most: int) -> slice:
        left = len(self.jobs) - self.next
        count = min(most, max(1, left // (4 * (len(self.helpers.ready) + 1))), left)
        self.next += count
        return slice(self.next - count, self.next)

    def _own(self) -> None:
        end = time.monotonic() + OWN_SECONDS
        while self.next < len(self.jobs) and time.monotonic() < end:
            part = self._part(1)
            self._keep(part, [self.function(*job) for job in self.jobs[part]])

    def _give(self) -> None:
        self.helpers.wake()
        for connection in self.helpers.ready:
            while self.next < len(self.jobs) and len(self.given.get(connection, ())) < WAITING:
                part = self._part(GIVEN)
                self.given.setdefault(connection, []).append(part)
                connection.send((self.function, self.jobs[part]))

    def _take(self, seconds: float | None) -> None:
        for connection in wait(list(self.given), seconds) if self.given else ():
            assert isinstance(connection, Connection)  # a developer's invariant: nothing else is waited for
            results, error = connection.recv()
            part = self.given[connection].pop(0)
            if not self.given[connection]:
                del self.given[connection]
            if error is not None:
                raise error
            self._keep(part, results)

    def _keep(self, part: slice, results: list[Any]) -> None:
        self.results[part] = results
        self.tell(len(results))


def _serve(connection: Connection) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, at whose end this ends
    given: SimpleQueue[Any] = SimpleQueue()
    # what is given is taken at once, even while results are being sent: neither side ever waits for the other to read
    Thread(target=_receive, args=(connection, given), daemon=True).start()
    with contextlib.suppress(*ENDED):
        connection.send(None)
        while (task := given.get()) is not None:
            function, jobs = task
            try:
                results = [function(*job) for job in jobs]
            except Exception as error:
                connection.send(([], error))
            else:
                connection.send((results, None))


def _receive(connection: Connection, given: SimpleQueue[Any]) -> None:
    try:
        with contextlib.suppress(*ENDED):
            while True:
                given.put(connection.recv())
    finally:
        given.put(None)
