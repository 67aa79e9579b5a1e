"""k-fold cross-validation as one call: resumable, side by side, with a verdict on every image."""

from __future__ import annotations

import dataclasses
import functools
import os
import re
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from latentia.core.errors import Interrupted, UserError
from latentia.data.duplicates import Duplicates, near_duplicates
from latentia.data.splits import SPLIT_SEED
from latentia.presets import Design, design
from latentia.studies import folder as places
from latentia.studies.folds import Fold, FoldSettings, Splitter, digest, make_folds, torn
from latentia.studies.pool import gather_pool
from latentia.studies.result import CrossValidation
from latentia.studies.stacked import check_design, check_place
from latentia.studies.workers import (
    REMOTE,
    STACKED,
    check,
    check_backend,
    choose_jobs,
    choose_threads,
    is_remote,
    run_folds,
    watched,
)
from latentia.training.asked import DATA_OPTIONS, separate
from latentia.training.device import describe_device, resolve_device
from latentia.training.run_folder import RunFolder
from latentia.training.settings import settings_json


def crossvalidate(
    data: Any,
    preset: str = "cae",
    *,
    folds: int = 5,
    repeats: int = 1,
    stratify: bool = False,
    groups: npt.ArrayLike | None = None,
    splitter: Splitter | None = None,
    keep_duplicates_together: bool = True,
    jobs: int = 1,
    threads_per_fold: int = 0,
    backend: str = "auto",
    scheduler: str | None = None,
    stack: bool = False,
    final: bool = True,
    runs: str | os.PathLike[str] = "runs",
    resume: str | os.PathLike[str] | None = None,
    fresh: bool = False,
    split_seed: int = SPLIT_SEED,
    quiet: bool = False,
    say: Callable[[str], None] | None = None,
    options: Mapping[str, Any] | None = None,
    **more: Any,
) -> CrossValidation:
    """Train one model for each fold and return the verdicts of models on images that they have not seen.

    The pool is the training and validation images of a name or a path, or all of an array or an ImageSet; test images are
    not read. Called again with the same settings it finds its folder: finished folds are not trained again.

    Args:
        data: whatever :func:`latentia.load` takes.
        preset: the named autoencoder, such as ``"dae"`` or ``"vae:beta=4"``.
        folds, repeats, stratify: see :class:`FoldSettings`.
        groups: one value for each image; images of one value stay in one fold.
        splitter: an object with ``split(X, y, groups)``, such as scikit-learn's, instead of ``folds``.
        keep_duplicates_together: keep near-duplicates in one fold.
        jobs: processes; 0 is as many as the cores carry. It changes no figure.
        backend: how folds run side by side: ``processes`` of this machine, or joblib's ``loky``, ``dask`` or ``ray``; ``auto``
            is what ``joblib.parallel_config`` was told, else ``processes``. Several machines need a shared file system.
        scheduler: the address of the cluster, for ``dask`` and ``ray``.
        stack: train all folds in this process as one: their networks stacked, a step of all in one pass. The figures are the same
            up to rounding. For small networks on a GPU; not for every preset.
        threads_per_fold: threads of each training; 0: one, and more for the last folds where cores would stay idle. Rounding,
            and so the last digits of the figures, depend on it; what was chosen is kept with the result.
        final: also refit one model on everything, as long as the median of the folds' best epochs.
        runs: where the result's folder is made and looked for.
        resume: the folder to go on with, instead of looking for it.
        fresh: begin anew even where the same result is there.
        split_seed: the seed of the data's own splits and of the folds.
        quiet: print nothing.
        say: told what a person should know; prints to stderr by default.
        options: options by the names of the command line, such as ``{"corruption.p": 0.3}``.
        **more: the same by keyword, as for :func:`latentia.train`.

    Raises:
        UserError: data, preset or an option is wrong, the folds cannot be made, or ``resume`` is of other settings.
        LatentiaError: a fold failed; the others are kept, and the same call goes on. Interrupted: likewise.
    """
    tell = say or (lambda text: None if quiet else print(text, file=sys.stderr))
    asked = separate(options, more, (*DATA_OPTIONS, "labels"))
    data_options, settings = asked.data, asked.settings
    chosen, device = design(preset, asked.design), resolve_device(settings.device)
    how = FoldSettings(folds, repeats, stratify, split_seed)
    for name, value, least in (("threads_per_fold", threads_per_fold, 0), ("jobs", jobs, 0)):
        if value < least:
            raise UserError(f"{name} is {value}, but it must be {least} or more")
    check_backend(backend, scheduler)
    if stack:
        check_place(jobs, backend, compiled=settings.compile)
    pool = gather_pool(data, split_seed=split_seed, quiet=quiet, **data_options)
    if stack:
        check_design(chosen, pool)
    duplicates = near_duplicates(pool) if keep_duplicates_together else None
    made = make_folds(
        pool, how, groups=groups, together=None if duplicates is None else duplicates.groups, splitter=splitter
    )
    settings = settings.for_images(min(len(fold.train) for fold in made), chosen.optimizer)
    chosen.architecture.build(pool.format)  # parts that do not fit are found out before a folder is made
    study = {
        **_design_json(chosen),
        "settings": settings_json(settings),
        "folds": folds if splitter is None else len(made),
        "repeats": repeats,
        "stratify": stratify,
        # without the place in memory that some objects are shown with: it is another one each time
        "splitter": None if splitter is None else re.sub(r" at 0x[0-9a-f]+", "", repr(splitter)),
        "keep_duplicates_together": keep_duplicates_together,
        "threads_per_fold": threads_per_fold,
        "split_seed": split_seed,
        **({"stack": True} if stack else {}),
        "data": pool.fingerprint,
        "splits": digest(made),
    }
    if resume is not None:
        result: RunFolder | None = places.open_result(Path(resume))
        places.check_same(RunFolder(Path(resume)), study)
    else:
        result = None if fresh else places.find_result(Path(runs), study)
    if result is None:
        location = os.fspath(data) if isinstance(data, str | os.PathLike) else None
        description = {
            "preset": chosen.preset,
            "study": study,
            "identity": places.identity(study),
            "device": describe_device(device),
            "threads": list(choose_threads(threads_per_fold, len(made), remote=is_remote(backend), stack=stack)),
            "data": {
                "source": pool.source,
                "count": len(pool),
                "location": location,
                "options": {key: value for key, value in data_options.items() if key != "labels" and value is not None},
                "split_seed": split_seed,
            },
            "duplicates": {
                "count": None if duplicates is None else duplicates.count,
                "note": _note(duplicates, made, groups, splitter),
            },
        }
        name = f"{Path(pool.source).stem or 'images'}-{chosen.preset}"
        result = places.create_result(Path(runs), name, description, pool, made, copy=is_remote(backend))
        tell(f"cross-validating in {result.path}")
    else:
        done = sum(places.is_finished(result.path, number) for number in range(len(made)))
        tell(f"found {result.path}: {done} of {len(made)} folds are finished and are not trained again")
    count, epochs = len(made), settings.epochs
    processes = choose_jobs(jobs, count, max(threads_per_fold, 1), str(device))
    del pool, made, duplicates  # the folds map the pixels from the result's folder
    backend = STACKED if stack else backend
    work = functools.partial(
        _run, result, epochs=epochs, jobs=processes, backend=backend, scheduler=scheduler, quiet=quiet, tell=tell
    )
    return _work(result, count, work, final)


def _work(result: RunFolder, count: int, work: Callable[[list[int]], None], final: bool) -> CrossValidation:
    waiting = [number for number in range(count) if not places.is_finished(result.path, number)]
    refit = final and not places.is_finished(result.path, places.FINAL)
    if waiting or refit:
        result.lock()
        try:
            result.update(status="running")
            if waiting:
                work(waiting)
            CrossValidation(result.path)  # puts the verdicts together
            if refit:
                work([places.FINAL])
        except BaseException:
            result.update(status="interrupted")
            raise
        finally:
            result.release()
    found = CrossValidation(result.path)
    if refit:
        figures = {name: dataclasses.asdict(value) for name, value in found.metrics.items()}
        RunFolder(places.fold_path(result.path, places.FINAL)).update(
            crossvalidation={"result": str(result.path), "folds": count, "figures": figures}
        )
    result.update(status="finished")
    found.description["status"] = "finished"
    return found


def _run(
    result: RunFolder,
    numbers: list[int],
    *,
    epochs: int,
    jobs: int,
    backend: str,
    scheduler: str | None,
    quiet: bool,
    tell: Callable[[str], None],
) -> None:
    again = f"the state is kept in {result.path}, and the same command goes on with it"
    if places.FINAL in numbers:
        tell("training the final model on all images")
    else:
        tell(f"training {len(numbers)} fold(s), {_at_a_time(min(jobs, len(numbers)), backend)}")
    try:
        with watched(result.path, numbers, epochs, quiet):
            outcomes = run_folds(result.path, numbers, jobs, tell, backend, scheduler)
    except KeyboardInterrupt:
        raise Interrupted(f"cross-validation was interrupted: {again}", signal.SIGINT) from None
    stopped = [outcome for outcome in outcomes if outcome.signal_number]
    if stopped:
        raise Interrupted(f"cross-validation was interrupted: {again}", stopped[0].signal_number)
    check(outcomes, result.path)


def _at_a_time(jobs: int, backend: str) -> str:
    if backend == STACKED:
        return "stacked into one"
    if backend in REMOTE:
        return f"by the workers of {backend}"
    return f"{jobs} at a time" if jobs > 1 else "one after the other"


def _note(
    duplicates: Duplicates | None, made: Sequence[Fold], groups: npt.ArrayLike | None, splitter: Splitter | None
) -> str:
    """Return what a person should know of images that belong together: a splitter of one's own may tear them apart."""
    notes = []
    apart = torn(made, duplicates.groups) if duplicates is not None and splitter is not None else 0
    if duplicates is not None and apart:
        notes.append(
            f"{duplicates.count:,} of {len(duplicates.groups):,} images are near-duplicates of another, and the splitter "
            f"does not keep them together: {apart:,} images are judged by a model that has seen one of theirs"
        )
    elif duplicates is not None:
        notes.append(str(duplicates))
    if groups is not None and splitter is not None:
        own = torn(made, np.unique(np.asarray(groups).reshape(-1), return_inverse=True)[1])
        if own:
            notes.append(
                f"the splitter does not keep groups together: {own:,} images are judged by a model that saw theirs"
            )
    return "; ".join(notes)


def _design_json(chosen: Design) -> dict[str, Any]:
    return {
        "preset": chosen.preset,
        "architecture": chosen.architecture.to_json(),
        "objective": chosen.objective.to_json(),
    }
