"""Where folds run: here, in processes of this machine, on Dask, or wherever a backend of joblib takes them; and who died.

A backend is a way to call ``run_fold`` for (result folder, fold number). What a fold comes to is written into the result's
folder, so all that travels back is an :class:`Outcome`.
"""

from __future__ import annotations

import contextlib
import importlib
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from latentia.core.cores import cores
from latentia.core.errors import LatentiaError, StorageError, UserError, unknown
from latentia.studies.fold_run import Outcome
from latentia.studies.folder import FINAL, fold_path

RUN_FOLD = "latentia.studies.fold_run:run_fold"
DIED = (
    "its worker process died, perhaps for lack of memory or because it was killed; what it had saved is kept, and the same "
    "command goes on from there"
)
ON_GPU = 4  # folds that share a GPU unless told otherwise
STACKED = "stacked"  # in this process, their trainings stacked into one: no backend to be named, but chosen by itself
BACKENDS = ("auto", "processes", "loky", "dask", "ray")
REMOTE = ("dask", "ray")


def run_folds(
    result: Path,
    numbers: Sequence[int],
    jobs: int,
    say: Callable[[str], None],
    backend: str = "auto",
    scheduler: str | None = None,
    work: str = RUN_FOLD,
) -> list[Outcome]:
    """Return the outcome of each fold, run in ``jobs`` processes; with one job they run here, one after the other.

    Args:
        result: the result's folder.
        numbers: the folds.
        jobs: processes at a time; Dask and Ray have workers of their own, which are all used.
        say: told what a person should know.
        backend: one of ``BACKENDS``, or ``STACKED``; ``auto`` is what ``joblib.parallel_config`` was told, else ``processes``.
        scheduler: the address of a cluster of Dask or Ray.
        work: the function that does a fold, ``module:name``; it is imported where it runs.

    Raises:
        StorageError: a file could not be written. UserError: the backend is not installed.
    """
    chosen = backend if backend == STACKED else choose_backend(backend)
    if chosen == STACKED and len(numbers) > 1:
        from latentia.studies.stacked import run_stacked

        outcomes = run_stacked(result, numbers)
    elif chosen not in REMOTE and (jobs == 1 or len(numbers) <= 1):
        outcomes = _here(result, numbers, work)
    elif chosen == "processes":
        from latentia.studies.processes import run_in_processes

        outcomes = run_in_processes(result, numbers, jobs, work)
    elif chosen == "dask":
        outcomes = _by_dask(result, numbers, str(scheduler), work)
    else:
        outcomes = _by_joblib(result, numbers, jobs, say, chosen, scheduler, work)
    full = [outcome for outcome in outcomes if outcome.disk]
    if full:
        raise StorageError(full[0].problem)
    if not any(outcome.signal_number for outcome in outcomes):
        known = {outcome.number for outcome in outcomes}
        outcomes += [Outcome(number, DIED) for number in numbers if number not in known]
    return sorted(outcomes, key=lambda outcome: outcome.number)


def choose_backend(backend: str) -> str:
    """Return the backend that ``backend`` stands for here; ``joblib`` is the one a caller has configured.

    Raises:
        UserError: there is no such backend.
    """
    if backend not in BACKENDS:
        raise unknown("backend", backend, BACKENDS)
    if backend != "auto":
        return backend
    if "joblib" in sys.modules:
        from joblib.parallel import get_active_backend

        if type(get_active_backend()[0]).__name__ != "LokyBackend":
            return "joblib"
    return "processes" if sys.platform == "linux" else "loky"  # elsewhere a process with libraries in it is not forked


def check_backend(backend: str, scheduler: str | None) -> None:
    """Raise a :class:`UserError` where a backend cannot be used, before anything is trained."""
    chosen = choose_backend(backend)
    if scheduler is not None and chosen not in REMOTE:
        raise UserError(f"a scheduler ({scheduler}) is for the backends dask and ray, not {backend}: name one of them")
    if chosen == "joblib":
        from joblib.parallel import get_active_backend

        if getattr(get_active_backend()[0], "supports_sharedmem", False):
            raise UserError(
                "joblib is set to run side by side in threads, which share PyTorch's random generator, so that folds would not "
                "repeat: choose backend='processes' or 'loky'"
            )
    if chosen == "dask" and scheduler is None:
        raise UserError("the backend dask needs the address of its scheduler: --scheduler tcp://HOST:8786")
    needed = {"dask": "distributed", "ray": "ray"}.get(chosen)
    if needed is not None:
        try:
            importlib.import_module(needed)
        except ImportError:
            raise UserError(f"the backend {chosen} needs {needed}: pip install 'latentia[{chosen}]'") from None


def is_remote(backend: str) -> bool:
    """Return whether folds may run on machines that see nothing but the result's folder."""
    return choose_backend(backend) in (*REMOTE, "joblib")


def choose_threads(threads: int, folds: int, *, remote: bool = False, stack: bool = False) -> tuple[int, ...]:
    """Return the threads of each fold's training, and last those of the final model.

    They follow from the number of folds and of cores, not from how many folds run at a time, so that this changes no
    figure. ``threads`` is for all; 0 gives each fold one, and where the last folds would leave cores idle, these are
    shared out among them. The final model, which is alone, has all, and so have folds that are stacked.
    """
    if threads:
        return (threads,) * (folds + 1)
    if stack:
        return (_threads_here(),) * (folds + 1)
    if remote:
        return (1,) * (folds + 1)
    here = _threads_here()
    last = folds % here
    return (*(1,) * (folds - last), *(here // max(last, 1),) * last, here)


def choose_jobs(jobs: int, folds: int, threads: int, device: str) -> int:
    """Return how many processes run; 0 asks for as many as the cores carry, with ``threads`` in each."""
    if jobs:
        return min(jobs, folds)
    fitting = max(1, cores() // threads)
    return min(fitting, folds, ON_GPU) if device.startswith("cuda") else min(fitting, folds)


def _threads_here() -> int:
    """Return the threads that computing here may take: as many as cores, or fewer where OMP_NUM_THREADS says so."""
    import torch

    return min(cores(), torch.get_num_threads())


def _here(result: Path, numbers: Sequence[int], work: str) -> list[Outcome]:
    outcomes = []
    for number in numbers:
        outcomes.append(call(work, str(result), number))
        if outcomes[-1].signal_number or outcomes[-1].disk:
            break
    return outcomes


def call(work: str, result: str, number: int) -> Outcome:
    """Import the function that ``work`` names, and let it do a fold."""
    module, _, name = work.partition(":")
    found: Outcome = getattr(importlib.import_module(module), name)(result, number)
    return found


def _by_dask(result: Path, numbers: Sequence[int], scheduler: str, work: str) -> list[Outcome]:
    """Run folds on a cluster of Dask; one whose workers die is lost alone (joblib's own backend waits for it for ever)."""
    from distributed import Client, KilledWorker

    try:
        opened: Any = Client(scheduler, timeout=10, set_as_default=False)  # type: ignore[no-untyped-call]
    except (OSError, ValueError) as error:
        raise UserError(f"no Dask scheduler answers at {scheduler!r} ({error}): check its address") from None
    outcomes = []
    with opened as client:
        place = str(result.resolve())
        futures = [client.submit(call, work, place, number, pure=False) for number in numbers]
        for number, future in zip(numbers, futures, strict=True):
            try:
                outcomes.append(future.result())
            except KilledWorker:
                outcomes.append(Outcome(number, DIED))
            except Exception as error:  # whatever a worker raises, such as a missing installation
                outcomes.append(Outcome(number, f"{type(error).__name__}: {error}"))
    return outcomes


def _by_joblib(
    result: Path,
    numbers: Sequence[int],
    jobs: int,
    say: Callable[[str], None],
    backend: str,
    scheduler: str | None,
    work: str,
) -> list[Outcome]:
    """Run folds by joblib; where a worker dies all that ran beside it is lost, so the unfinished ones run one by one."""
    from joblib import Parallel, delayed

    def attempt(some: Sequence[int], count: int) -> list[Outcome]:
        found: list[Any] = Parallel(n_jobs=count, pre_dispatch="all", batch_size=1)(
            delayed(call)(work, str(result.resolve()), number) for number in some
        )
        return found

    with _backend(backend, scheduler) as remote:
        try:
            return attempt(numbers, -1 if remote else jobs)
        except _deaths():
            say("a worker process died; the unfinished folds are run again, one at a time")
        outcomes = []
        for number in numbers:
            try:
                outcomes += attempt([number], -1 if remote else 2)
            except _deaths():
                outcomes.append(Outcome(number, DIED))
        return outcomes


@contextlib.contextmanager
def _backend(name: str, scheduler: str | None) -> Iterator[bool]:
    """Let joblib use a backend inside; yield whether its workers are a cluster's."""
    from joblib import parallel_config

    if name == "ray":
        import ray
        from ray.util.joblib import register_ray

        if not ray.is_initialized():
            try:
                ray.init(address=scheduler, log_to_driver=False)
            except ConnectionError as error:
                raise UserError(f"no Ray cluster answers at {scheduler!r} ({error}): check its address") from None
        register_ray()
        with parallel_config("ray"):
            yield True
    elif name == "loky":
        with parallel_config("loky"):
            yield False
    else:
        yield False


def _deaths() -> tuple[type[BaseException], ...]:
    """Return the errors by which the backends that are loaded say that a worker died."""
    from joblib.externals.loky.process_executor import BrokenProcessPool

    found: list[type[BaseException]] = [BrokenProcessPool]
    if "ray.exceptions" in sys.modules:
        found.append(sys.modules["ray.exceptions"].RayError)
    return tuple(found)


@contextlib.contextmanager
def watched(result: Path, numbers: Sequence[int], epochs: int, quiet: bool) -> Iterator[None]:
    """Show a bar over the epochs of all folds, read from their files, while the folds run wherever they run."""
    from latentia.core.bars import tqdm

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
