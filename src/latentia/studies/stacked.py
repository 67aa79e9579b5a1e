"""Folds whose trainings are stacked: one process, one pass for the steps of all of them, and a run folder for each as ever."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from latentia.core.errors import LatentiaError, UserError
from latentia.data.batches import Batches
from latentia.data.imageset import ImageSet
from latentia.presets import Design
from latentia.studies.fold_run import BegunFold, Outcome, begin_fold, outcome_of
from latentia.studies.pool import part
from latentia.training.device import at_work
from latentia.training.initial import initial_model
from latentia.training.run_folder import RunFolder
from latentia.training.settings import TrainSettings
from latentia.training.signals import StopSignals
from latentia.training.stack import check_stackable, train_together
from latentia.training.threads import computing_with
from latentia.training.trainer import Trainer

FEW = 4  # images a member, with which it is found out whether networks can be stacked


def check_place(jobs: int, backend: str, *, compiled: bool = False) -> None:
    """Raise a :class:`UserError` where stacked folds are asked to run elsewhere than in this process, or compiled."""
    if compiled:
        raise UserError("stacked folds cannot be compiled: leave --stack or --compile out")
    if jobs > 1 or backend != "auto":
        asked = f"{jobs} jobs" if jobs > 1 else f"the backend {backend}"
        raise UserError(f"stacked folds are trained in this process, not by {asked}: leave one of the two out")


def check_design(chosen: Design, pool: ImageSet) -> None:
    """Raise a :class:`UserError` where networks of this design cannot be stacked, before anything is trained."""
    images = part(pool, np.arange(min(FEW, len(pool))))
    settings, device = TrainSettings(epochs=1, batch_size=len(images), precision="float32"), torch.device("cpu")
    members = []
    for seed in range(2):
        model = initial_model(chosen.architecture, images, seed)
        batches = Batches(images, images.format, len(images), device, seed=seed)
        settings = dataclasses.replace(settings, seed=seed)
        members.append(Trainer(model, chosen.objective, batches, None, settings, device, quiet=True))
    try:
        with at_work(device):
            check_stackable(members)
    except UserError as error:
        raise UserError(f"folds of {chosen.preset!r} cannot be stacked: {error}; leave --stack out") from error


def run_stacked(result: Path, numbers: Sequence[int]) -> list[Outcome]:
    """Train the folds of ``result`` as one, from wherever each stands, and judge them; return the outcome of each."""
    described = RunFolder(result).describe()
    begun: dict[int, BegunFold] = {}
    outcomes: dict[int, Outcome] = {}
    with computing_with(described["threads"][numbers[0]]):
        for number in numbers:
            try:
                begun[number] = begin_fold(result, number, described)
            except LatentiaError as error:
                outcomes[number] = outcome_of(number, error)
        trainers = [fold.run.trainer for fold in begun.values()]
        if trainers:
            with at_work(trainers[0].device), StopSignals() as signals:
                ends = train_together(trainers, [fold.run.course(signals) for fold in begun.values()])
            for (number, fold), end in zip(begun.items(), ends, strict=True):
                outcomes[number] = _judged(number, fold) if end is None else outcome_of(number, end)
    return list(outcomes.values())


def _judged(number: int, fold: BegunFold) -> Outcome:
    try:
        fold.judge()
    except LatentiaError as error:
        return outcome_of(number, error)
    return Outcome(number)
