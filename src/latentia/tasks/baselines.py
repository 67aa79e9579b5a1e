"""Should one train at all? A trained autoencoder beside what needs no network, on the same images and the same tasks.

A task is one file in ``trials/``; it exists because its file exists. Whatever learns, learns from the run's training images
alone, and other images judge. Anomaly detection is not among the tasks: what is odd takes labels to tell.
"""

from __future__ import annotations

import csv
import dataclasses
import importlib
import io
import math
import pkgutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Self

from latentia.core.atomic import write_bytes, write_json
from latentia.core.bars import tqdm
from latentia.core.errors import UserError
from latentia.core.notebook import Printed
from latentia.tasks.apply import check_fit
from latentia.tasks.trial import Trial
from latentia.tasks.trial_bench import Bench, LeftOut

TRIALS = "latentia.tasks.trials"
MOST = 2000  # images that judge
FILE, TABLE = "baselines.json", "baselines.csv"


@dataclasses.dataclass(frozen=True)
class Baselines(Printed):
    """A trained model beside its baselines.

    Attributes:
        name: the run.
        judged, count: which images judge, in words, and how many.
        learned: which images were learned from, in words.
        trials: the tasks.
        left_out: the tasks that were not tried, with the reason.
        model: the digest of the model's weights.
    """

    name: str
    judged: str
    count: int
    learned: str
    trials: tuple[Trial, ...]
    left_out: tuple[tuple[str, str], ...] = ()
    model: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return everything as JSON values; NaN is ``null``."""
        from latentia.tasks.baseline_words import headline, verdict

        trials = [{**_plain(dataclasses.asdict(trial)), "verdict": verdict(trial)} for trial in self.trials]
        left_out = [list(pair) for pair in self.left_out]
        return {**dataclasses.asdict(self), "trials": trials, "left_out": left_out, "headline": headline(self)}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """Return what :meth:`to_json` gave."""
        trials = tuple(
            Trial.from_json({key: value for key, value in trial.items() if key != "verdict"})
            for trial in values["trials"]
        )
        left_out = tuple((name, reason) for name, reason in values["left_out"])
        given = {key: value for key, value in values.items() if key != "headline"}
        return cls(**{**given, "trials": trials, "left_out": left_out})

    def save(self, folder: Path) -> list[Path]:
        """Write ``baselines.json`` and ``baselines.csv``, a line for each way to do a task, into ``folder``; return them.

        Raises:
            StorageError: the disk is full or cannot be written.
        """
        text = io.StringIO()
        columns = [field.name for field in dataclasses.fields(self.trials[0].model)] if self.trials else ["name"]
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(["task", "figure", *columns])
        for trial in self.trials:
            for way in trial.ways:
                values = [getattr(way, column) for column in columns]
                writer.writerow(
                    [trial.name, trial.figure, *("" if value != value else value for value in values)]
                )  # NaN
        write_bytes(folder / TABLE, text.getvalue().encode())
        write_json(folder / FILE, self.to_json())
        return [folder / FILE, folder / TABLE]

    def __str__(self) -> str:
        from latentia.tasks.baseline_words import table

        return table(self)


def baselines(bench: Bench, *, name: str, judged: str, learned: str, model: str = "") -> Baselines:
    """Return how the model of ``bench`` does beside its baselines.

    Args:
        bench: the model and the images.
        name, judged, learned: what the result calls the run and the images.
        model: the digest of its weights.

    Raises:
        UserError: no judged images or no training images to speak of, or they do not fit the model.
    """
    for images, what in ((bench.judged, "judge"), (bench.train, "learn from")):
        if not len(images):
            raise UserError(f"{images.source} has no images to {what}")
        check_fit(bench.model, images)
    if len(bench.train) < 2:
        raise UserError(f"{name} was trained on a single image, and baselines take two or more to learn from")
    found: list[Trial] = []
    left_out: list[tuple[str, str]] = []
    for title, trials in tqdm(kinds_of_trial(), unit=" tasks", delay=2.0, disable=None, leave=False):
        try:
            found += trials(bench)
        except LeftOut as reason:
            left_out.append((title, str(reason)))
    return Baselines(name, judged, len(bench.judged), learned, tuple(found), tuple(left_out), model)


def kinds_of_trial() -> list[tuple[str, Callable[[Bench], Iterator[Trial]]]]:
    """Return the names of the tasks that there are, and what tries them, in their order."""
    package = importlib.import_module(TRIALS)
    names = [module.name for module in pkgutil.iter_modules(package.__path__) if not module.name.startswith("_")]
    files = [(name, importlib.import_module(f"{TRIALS}.{name}")) for name in names]
    return [(name, file.trials) for name, file in sorted(files, key=lambda item: item[1].PLACE)]


def _plain(value: Any) -> Any:
    """Return nested values with ``None`` for NaN, which JSON does not know."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return None if isinstance(value, float) and math.isnan(value) else value
