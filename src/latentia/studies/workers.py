"""Folds side by side: processes through joblib (loky; any other backend by ``joblib.parallel_config``), and who died."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from latentia.core.errors import LatentiaError
from latentia.studies.fold_run import Outcome, run_fold
from latentia.studies.folder import FINAL, fold_path

Work = Callable[[str, int], Outcome]
DIED = (
    "its worker process died, perhaps for lack of memory or because it was killed; what it had saved is kept, and the same "
    "command goes on from there"
)
ON_GPU = 4  # folds that share a GPU unless told otherwise


def run_folds(
    result: Path, numbers: Sequence[int], jobs: int, say: Callable[[str], None], work: Work = run_fold
) -> list[Outcome]:
    """Return the outcome of each fold, run in ``jobs`` processes; with one job they run here, one after the other.

    When a worker dies, all that ran beside it are lost with it; the unfinished ones are then run one at a time, each in a
    process of its own, so that the one at fault is known and the others come to their end.
    """
    if jobs == 1 or len(numbers) <= 1:
        outcomes = []
        for number in numbers:
            outcomes.append(work(str(result), number))
            if outcomes[-1].signal_number:
                break
        return outcomes
    from joblib.externals.loky.process_executor import BrokenProcessPool

    try:
        return _in_processes(result, numbers, jobs, work)
    except BrokenProcessPool:
        say("a worker process died; the unfinished folds are run again, one at a time")
    outcomes = []
    for number in numbers:
        try:
            outcomes += _in_processes(result, [number], 2, work)
        except BrokenProcessPool:
            outcomes.append(Outcome(number, DIED))
    return outcomes


def choose_jobs(jobs: int, folds: int, threads: int, device: str) -> int:
    """Return how many processes run; 0 asks for as many as the cores carry, with ``threads`` in each."""
    if jobs:
        return min(jobs, folds)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    fitting = max(1, cores // threads)
    return min(fitting, folds, ON_GPU) if device.startswith("cuda") else min(fitting, folds)


def _in_processes(result: Path, numbers: Sequence[int], jobs: int, work: Work) -> list[Outcome]:
    from joblib import Parallel, delayed

    found: list[Any] = Parallel(n_jobs=jobs, pre_dispatch="all", batch_size=1)(
        delayed(work)(str(result), number) for number in numbers
    )
    return found


@contextlib.contextmanager
def watched(result: Path, numbers: Sequence[int], epochs: int, quiet: bool) -> Iterator[None]:
    """Show a bar over the epochs of all folds, read from their files, while the folds run wherever they run."""
    import sys

    from tqdm.auto import tqdm

    if quiet or not sys.stderr.isatty():
        yield
        return
    ended = threading.Event()
    with tqdm(total=len(numbers) * epochs, unit=" epochs", dynamic_ncols=True) as bar:

        def look() -> None:
            while not ended.wait(0.5):
                bar.n = sum(_lines(fold_path(result, number) / "metrics.jsonl") for number in numbers)
                bar.refresh()

        watcher = threading.Thread(target=look, daemon=True)
        watcher.start()
        try:
            yield
        finally:
            ended.set()
            watcher.join()


def _lines(path: Path) -> int:
    try:
        return path.read_bytes().count(b"\n")
    except OSError:
        return 0


def check(outcomes: Sequence[Outcome], result: Path) -> None:
    """Raise a :class:`LatentiaError` that names what failed, if anything did."""
    failed = [outcome for outcome in outcomes if outcome.problem]
    if failed:
        names = "; ".join(
            f"{'the final model' if outcome.number == FINAL else f'fold {outcome.number}'}: {outcome.problem}"
            for outcome in failed
        )
        raise LatentiaError(f"{len(failed)} of {len(outcomes)} trainings in {result} did not finish: {names}")
