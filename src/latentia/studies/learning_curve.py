"""The learning curve: what each number of labels buys, for a fine-tuned network and for everything it must be measured against.

Beside the pre-trained network stand the same network from scratch, with the same labels, unlabelled images, losses,
augmentation and number of steps (Erhan et al. 2010 compare so), and classifiers of scikit-learn on raw pixels, on PCA and on the
frozen codes. Each draw of labels is class-balanced and given to all; its seed is that of the weights, too. Every training is a
row in the folder, written when it is done, so that a curve that was stopped goes on, and more draws or labels are added to it.
"""

from __future__ import annotations

import dataclasses
import os
import signal
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from latentia.classifier import Classifier, Head
from latentia.core.atomic import write_bytes, write_json
from latentia.core.errors import Interrupted, UserError, unknown
from latentia.core.noise import derive
from latentia.data.imageset import UNLABELLED, ImageSet
from latentia.data.labels import Labels, draw_labels, numbers_for
from latentia.finetuning import FineTuning
from latentia.model import Autoencoder
from latentia.studies.curve_result import KIND, PRETRAINED, SCRATCH, LearningCurve
from latentia.studies.folder import identity
from latentia.tasks.apply import check_fit, over
from latentia.tasks.finetune import finetune_in_memory
from latentia.tasks.finetune_stacked import check_finetuning, finetune_stacked
from latentia.tasks.shallow import CLASSIFIERS, SPACES, Spaces, shallow_answers
from latentia.training.run_folder import RunFolder
from latentia.training.settings import FineTuneSettings, settings_json

ROWS = (PRETRAINED, SCRATCH, *(f"{space}-{classifier}" for space in SPACES for classifier in CLASSIFIERS))
DEFAULT_ROWS = (PRETRAINED, SCRATCH, "codes-logistic", "pixels-logistic", "pixels-svm", "pca-logistic", "pca-svm")
SERIES = (10, 30, 100, 300, 1000)  # the default numbers of labels, where there are as many
NAMES = {"logistic": "logistic regression", "svm": "SVM", "knn": "nearest neighbours"}
SET_ASIDE = 1 / 3  # of the labelled images, where there is no other part to judge by


@dataclasses.dataclass(frozen=True, eq=False)
class Problem:
    """What is learned, from what, and what judges it.

    Attributes:
        source: the pre-trained autoencoder.
        model: a hash of its weights.
        pool: all images to learn from; its labels are those that may be drawn.
        judged: the images that judge, with labels that are never shown.
        text: in words, which images these are.
        how, settings, head: of fine-tuning.
        label_seed: the seed of the first draw; the next draw's is one more.
    """

    source: Autoencoder
    model: str
    pool: ImageSet
    judged: ImageSet
    text: str
    how: FineTuning
    settings: FineTuneSettings
    head: Head | None = None
    label_seed: int = 0

    def way(self, row: str) -> FineTuning:
        """Return how the network of ``row`` is trained."""
        return self.how if row == PRETRAINED else self.how.control

    def trains(self, row: str) -> bool:
        """Return whether a network is trained for ``row``: one that can be stacked, unlike frozen features."""
        return row == SCRATCH or (row == PRETRAINED and self.how.mode != "probe")

    def settings_of(self, draw: int) -> FineTuneSettings:
        """Return how the network of a draw is trained."""
        return dataclasses.replace(self.settings, seed=self.settings.seed + draw)

    def study(self) -> dict[str, Any]:
        """Return all that decides a row's figures, besides its name, labels and draw."""
        return {
            "model": self.model,
            "pool": self.pool.fingerprint,
            "judged": self.judged.fingerprint,
            "finetuning": self.how.fields(),
            "settings": settings_json(self.settings),
            "head": None if self.head is None else self.head.fields(),
            "label_seed": self.label_seed,
        }


def set_aside(images: ImageSet, share: float = SET_ASIDE, seed: int = 0) -> tuple[ImageSet, ImageSet]:
    """Return ``images`` with a share of each class's labels hidden, and the images whose labels those are.

    They stay among the unlabelled ones, for all ways alike: the autoencoder may have been trained on them already, and a
    network from scratch that had not seen them would be wronged. A class with one label keeps it.
    """
    assert images.labels is not None  # a developer's invariant: there is something to set aside
    random = np.random.default_rng(derive(seed, "set aside"))
    chosen: list[int] = []
    for number in np.unique(images.labels[images.labels >= 0]):
        rows = random.permutation(np.flatnonzero(images.labels == number))
        chosen += rows[: min(round(len(rows) * share), len(rows) - 1)].tolist()
    hidden = images.labels.copy()
    hidden[chosen] = UNLABELLED
    return dataclasses.replace(images, labels=hidden), images.select(np.sort(chosen))


def default_counts(pool: ImageSet) -> tuple[int, ...]:
    """Return 10, 30, 100, 300 and 1,000, as far as there are so many labels and no fewer than classes."""
    assert pool.labels is not None  # a developer's invariant: they were looked at
    known = pool.labels[pool.labels >= 0]
    classes = len(np.unique(known))
    fits = [count for count in SERIES if classes <= count <= len(known)]
    if classes > SERIES[0]:
        fits = [classes, *(count for count in fits if count >= 2 * classes)]
    return tuple(dict.fromkeys(fits)) or (len(known),)


def learning_curve(
    problem: Problem,
    counts: Sequence[int] | None = None,
    draws: int = 5,
    rows: Sequence[str] = DEFAULT_ROWS,
    *,
    runs: str | os.PathLike[str] = "runs",
    about: dict[str, Any] | None = None,
    stack: bool = False,
    say: Callable[[str], None] = lambda text: None,
) -> LearningCurve:
    """Train what is not trained yet and return the curve.

    Args:
        problem: images, model and settings.
        counts: numbers of labels; see :func:`default_counts`.
        draws: how often each number is drawn.
        rows: the ways to a classifier; see ``ROWS``.
        runs: where the folder is made, and looked for: one of the same problem is gone on with.
        about: further entries of ``run.json``.
        stack: train all draws of a number of labels as one, their networks stacked; the figures are the same up to rounding.
        say: told what a person should know.

    Raises:
        UserError: there are no labels, too few, or no such row. Interrupted: what was trained is kept.
    """
    counts = tuple(sorted(set(default_counts(problem.pool) if counts is None else counts)))
    _check(problem, counts, draws, rows)
    if stack:
        for row in filter(problem.trains, rows):
            draw = draw_labels(problem.pool, counts[0], problem.label_seed), problem.settings
            check_finetuning(problem.source, problem.pool, draw, problem.way(row), problem.head)
    spaces = Spaces(problem.pool, problem.source, problem.judged)
    names = {row: _name(row, problem.how, spaces) for row in rows}
    folder = _folder(problem, Path(runs), about or {}, say)
    before = folder.describe()
    folder.update(
        asked={"labels": list(counts), "draws": draws, "rows": list(dict.fromkeys(rows))},
        names={**before.get("names", {}), **names},
    )
    folder.lock()
    try:
        folder.rewind_metrics(folder.metrics())  # a line that a kill cut short is taken away before others follow it
        folder.update(status="running")
        _work(problem, LearningCurve(folder.path), folder, spaces, stack, say)
    except BaseException:
        folder.update(status="interrupted")
        raise
    finally:
        folder.release()
    folder.update(status="finished")
    found = LearningCurve(folder.path)
    write_json(folder.path / "result.json", found.to_json())
    write_bytes(folder.path / "table.csv", found.csv_text().encode())
    return found


def _check(problem: Problem, counts: Sequence[int], draws: int, rows: Sequence[str]) -> None:
    for row in rows:
        if row not in ROWS:
            raise unknown("row of a learning curve", row, ROWS)
    if not rows:
        raise UserError("no rows are named: leave --rows out for the usual ones")
    if draws < 1:
        raise UserError(f"draws is {draws}, but it must be 1 or more")
    for images in (problem.pool, problem.judged):
        check_fit(problem.source, images)
    for count in counts:
        draw_labels(problem.pool, count)  # a number that cannot be drawn is told before anything is trained
    classes = draw_labels(problem.pool).classes
    truth = numbers_for(problem.judged, classes)
    if truth is None or not (truth != UNLABELLED).all():
        raise UserError(f"{problem.text} have no labels to judge by: name another --split, or label some of them")


def _folder(problem: Problem, runs: Path, about: dict[str, Any], say: Callable[[str], None]) -> RunFolder:
    study = problem.study()
    wanted = identity(study)
    for path in sorted(runs.glob("*-learning-curve/run.json"), reverse=True):
        try:
            described = RunFolder(path.parent).describe()
        except UserError:
            continue  # a damaged or foreign folder is none of ours
        if described.get("identity") == wanted and described.get("kind") == KIND:
            say(f"found {path.parent}: what was trained there is not trained again")
            return RunFolder(path.parent)
    name = f"{Path(problem.pool.source).stem or 'images'}-learning-curve"
    description = {
        "kind": KIND,
        "study": study,
        "identity": wanted,
        "judged": {"count": len(problem.judged), "text": problem.text},
        "asked": {"labels": [], "draws": 0, "rows": []},
        "names": {},
        **about,
    }
    folder = RunFolder.create(runs, name, description)
    say(f"drawing a learning curve in {folder.path}")
    return folder


def _work(
    problem: Problem, curve: LearningCurve, folder: RunFolder, spaces: Spaces, stack: bool, say: Callable[[str], None]
) -> None:
    waiting = list(curve.waiting())
    if curve.done and waiting:
        say(f"{curve.done} of {curve.wanted} trainings are there already")
    again = f"what was trained is kept in {folder.path}, and the same command goes on with it"
    total, number = curve.wanted, curve.done
    spent: dict[str, list[float]] = {}
    while waiting:
        row, count, draw = waiting[0]
        alike = [each for each in waiting if each[:2] == (row, count) and stack and problem.trains(row)] or waiting[:1]
        draws = [draw for _, _, draw in alike]
        waiting = [each for each in waiting if each not in alike]
        try:
            started = time.monotonic()
            if len(draws) > 1:
                found = measure_stacked(problem, row, count, draws)
            else:
                found = [measure(problem, spaces, row, count, draw)]
            seconds = (time.monotonic() - started) / len(draws)
        except KeyboardInterrupt:
            raise Interrupted(f"the learning curve was interrupted: {again}", signal.SIGINT) from None
        except Interrupted as stopped:
            raise Interrupted(f"the learning curve was interrupted: {again}", stopped.exit_code - 128) from None
        spent.setdefault(row, []).append(seconds)
        left = sum(float(np.mean(spent.get(later, [0.0]))) for later, _, _ in waiting)
        for draw, each in zip(draws, found, strict=True):
            folder.append_metrics({"row": row, "labels": count, "draw": draw, **each, "seconds": round(seconds, 2)})
            number += 1
            say(
                f"{number} of {total}: {count:,} labels, draw {draw + 1}, {curve.methods[row]}: error {each['error']:.2%}, "
                f"{seconds:,.1f} s" + (f"; about {_time(left)} left" if left > 5 else "")
            )


def measure(problem: Problem, spaces: Spaces, row: str, count: int, draw: int) -> dict[str, Any]:
    """Return error, the positions of the wrongly named images, and the setting that was chosen, of one training."""
    labels = draw_labels(problem.pool, count, problem.label_seed + draw)
    settings = problem.settings_of(draw)
    if row in (PRETRAINED, SCRATCH):
        model, _, history = finetune_in_memory(
            problem.source, problem.pool, labels, problem.way(row), settings, head=problem.head, quiet=True
        )
        said, note = _answers(model, problem.judged), f"epochs={len(history)}"
    else:
        space, _, classifier = row.partition("-")
        known = np.flatnonzero(labels.numbers >= 0)
        said, note = shallow_answers(
            classifier,
            spaces.rows(space, problem.pool.select(known)),
            labels.numbers[known],
            spaces.judged_rows(space),
            settings.seed,
        )
    return _judged(problem, labels, said, note)


def measure_stacked(problem: Problem, row: str, count: int, draws: Sequence[int]) -> list[dict[str, Any]]:
    """Return what :func:`measure` does, of several draws whose networks are trained as one."""
    drawn = [draw_labels(problem.pool, count, problem.label_seed + draw) for draw in draws]
    asked = [(labels, problem.settings_of(draw)) for labels, draw in zip(drawn, draws, strict=True)]
    models = finetune_stacked(problem.source, problem.pool, asked, problem.way(row), head=problem.head)
    return [
        _judged(problem, labels, _answers(model, problem.judged), f"stacked={len(draws)}")
        for labels, model in zip(drawn, models, strict=True)
    ]


def _answers(model: Classifier, images: ImageSet) -> npt.NDArray[Any]:
    return over(model, images, lambda batch: model(batch.pixels)).argmax(1)


def _judged(problem: Problem, labels: Labels, said: npt.NDArray[Any], note: str) -> dict[str, Any]:
    truth = numbers_for(problem.judged, labels.classes)
    assert truth is not None  # a developer's invariant: checked before
    wrong: npt.NDArray[np.bool_] = np.asarray(said) != truth
    return {"error": float(wrong.mean()), "wrong": np.flatnonzero(wrong).tolist(), "note": note}


def _name(row: str, how: FineTuning, spaces: Spaces) -> str:
    if row == PRETRAINED:
        return f"pre-trained, {how.mode}"
    if row == SCRATCH:
        return "the same network from scratch"
    space, _, classifier = row.partition("-")
    return f"{NAMES[classifier]} on {spaces.name(space)}"


def _time(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"
