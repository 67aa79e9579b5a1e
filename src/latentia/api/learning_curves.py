"""``learning_curve``: what labels and pre-training buy, as a result that draws itself."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from latentia.api.finetuning import choose_images
from latentia.api.saying import silent, to_stderr
from latentia.classifier import Head
from latentia.core.errors import UserError, unknown
from latentia.data.imageset import ImageSet
from latentia.data.labels import read_labels
from latentia.data.load import EmptySplit, load, narrow
from latentia.runs import Run, open_run
from latentia.studies import learning_curve as study
from latentia.studies.curve_result import LearningCurve
from latentia.training.asked import separate_finetuning
from latentia.training.run import DataChoice
from latentia.training.storage import model_digest

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SPLITS = ("validation", "test", "aside")
ENOUGH = 200  # labelled validation images that tell something of an error


class LearningCurveResult(LearningCurve):
    """A learning curve that draws itself."""

    def figure(self) -> Figure:
        """Return error over labels as a matplotlib figure."""
        from latentia.report.curve_figure import curve_figure

        return curve_figure(self)

    def draw(self) -> list[Path]:
        """Draw the curve into its folder, as PNG; return the files."""
        from latentia.report.curve_figure import draw_curve

        return draw_curve(self)


def open_learning_curve(path: str | os.PathLike[str]) -> LearningCurveResult:
    """Return the learning curve in the folder ``path``, finished or not.

    Raises:
        UserError: it holds none.
    """
    return LearningCurveResult(path)


def learning_curve(
    run: Run | str | os.PathLike[str],
    data: Any = None,
    *,
    labels: Sequence[int] | None = None,
    draws: int = 5,
    rows: Sequence[str] | None = None,
    label_file: str | os.PathLike[str] | None = None,
    label_seed: int = 0,
    split: str | None = None,
    judge: Any = None,
    mode: str = "full",
    head: Head | None = None,
    runs: str | os.PathLike[str] = "runs",
    stack: bool = False,
    figures: bool = True,
    quiet: bool = False,
    say: Callable[[str], None] | None = None,
    options: Mapping[str, Any] | None = None,
    **more: Any,
) -> LearningCurveResult:
    """Return the error over the number of labels: pre-trained, from scratch, and by classifiers of scikit-learn.

    Called again with the same run, data and settings it goes on with its folder, also with more labels, draws or rows.

    Args:
        run: the autoencoder's run.
        data: whatever :func:`latentia.load` takes, with labels; the run's own data by default.
        labels: how many labels are drawn; 10, 30, 100, 300 and 1,000 by default, as far as there are so many.
        draws: how often each number is drawn, class-balanced.
        rows: the ways to a classifier, see :data:`latentia.studies.learning_curve.ROWS`.
        label_file: labels from a CSV file with the columns ``name`` and ``label``, for data that has none.
        label_seed: the seed of the first draw.
        split: what judges: ``validation``, ``test``, or ``aside``: a third of each class's labels, which are hidden while the
            images stay among the unlabelled ones. By default ``validation`` where it has 200 labels or more, else ``aside``.
        judge: images with labels that judge, instead of ``split``.
        mode, head: of fine-tuning.
        runs: where the folder is made, and looked for.
        stack: train all draws of a number of labels as one, their networks stacked: for small ones on a GPU. The figures are
            the same up to rounding.
        figures: draw the curve into the folder.
        quiet: print nothing.
        say: told what a person should know; prints to stderr by default.
        options: options of fine-tuning by the names of the command line.
        **more: the same by keyword.

    Raises:
        UserError: run, data, labels or an option is wrong. Interrupted: the rows that were trained are kept.
    """
    tell = say or (silent if quiet else to_stderr)
    source = run if isinstance(run, Run) else open_run(run)
    autoencoder = source.model  # a run that is a classifier already is told here
    asked = separate_finetuning(options, {**more, "mode": mode})
    if asked.how.scratch:
        raise UserError("a learning curve always shows the network from scratch: leave scratch out")
    if split is not None and split not in SPLITS:
        raise unknown("split to judge by", split, SPLITS)
    asked.settings.check_shares()
    location = data if data is not None else source.description["data"]["location"]
    if location is None:
        raise UserError(f"{source.path} was trained on images in memory: say which images to learn from")
    pool, judged, text = _parts(source, location, asked.data, label_file, split, judge, labels)
    for note in pool.notes:
        tell(note)
    problem = study.Problem(
        autoencoder, model_digest(source.path), pool, judged, text, asked.how, asked.settings, head, label_seed
    )
    in_memory = not isinstance(location, str | os.PathLike)
    about = {
        "data": {"source": pool.source, "location": None if in_memory else os.fspath(location), "count": len(pool)},
        "origin": {"from": str(source.path)},
    }
    chosen = study.DEFAULT_ROWS if rows is None else tuple(rows)
    found = study.learning_curve(problem, labels, draws, chosen, runs=runs, about=about, stack=stack, say=tell)
    result = LearningCurveResult(found.path)
    if figures:
        result.draw()
    return result


def _parts(
    source: Run,
    location: Any,
    options: dict[str, Any],
    label_file: Any,
    split: str | None,
    judge: Any,
    labels: Sequence[int] | None,
) -> tuple[ImageSet, ImageSet, str]:
    """Return what is learned from, what judges, and how a person would call that."""
    described = source.description["data"]
    if isinstance(location, str | os.PathLike):
        kept = {key: value for key, value in described["options"].items() if key != "split"}

        def part(name: str) -> ImageSet:
            chosen = {**kept, **options, "split": name}
            return choose_images(source, location, DataChoice(os.fspath(location), chosen, described["split_seed"]))
    else:
        images = load(location)

        def part(name: str) -> ImageSet:
            return images if name == "all" else narrow(images, name, split_seed=described["split_seed"])

    # images of a label file may lie in any split; so may those that another set judges
    everything = label_file is not None or (judge is not None and not isinstance(location, str | os.PathLike))
    pool = part("all" if everything else "train")
    if label_file is not None:
        pool = read_labels(label_file, pool).applied(pool)
    _need_labels(pool)
    if judge is not None:
        judged = _labelled(load(judge))
        return pool, judged, f"{len(judged):,} images of {judged.source}"
    if split is None:
        split = "aside" if label_file is not None else _usual(part)
    if split == "aside":
        pool, judged = study.set_aside(pool)
        _check_left(pool, len(judged), max(labels or (0,)))
        return pool, judged, f"{len(judged):,} images whose labels were set aside (all ways saw them unlabelled)"
    judged = _without(_labelled(part(split)), pool)
    return pool, judged, f"{len(judged):,} {split} images"


def _check_left(pool: ImageSet, aside: int, asked: int) -> None:
    assert pool.labels is not None  # a developer's invariant: some were set aside
    left = int((pool.labels >= 0).sum())
    if left < asked <= left + aside:
        raise UserError(
            f"{asked} labels were asked for, but {aside} of the {left + aside} are set aside to judge by, and {left} are left to "
            "learn from: ask for fewer, or label more"
        )


def _usual(part: Callable[[str], ImageSet]) -> str:
    try:
        return "validation" if len(_labelled(part("validation"))) >= ENOUGH else "aside"
    except EmptySplit:
        return "aside"


def _labelled(images: ImageSet) -> ImageSet:
    return images if images.labels is None else images.select(np.flatnonzero(images.labels >= 0))


def _without(judged: ImageSet, pool: ImageSet) -> ImageSet:
    """Return the judged images without those whose labels may be drawn."""
    assert pool.labels is not None  # a developer's invariant: it has labels
    learned = set(pool.ids[pool.labels >= 0].tolist()) & set(judged.ids.tolist())
    if not learned or judged.source != pool.source:
        return judged
    return judged.select([row for row, name in enumerate(judged.ids.tolist()) if name not in learned])


def _need_labels(pool: ImageSet) -> None:
    if pool.labels is None or not (pool.labels >= 0).any():
        raise UserError(
            f"{pool.source} has no labels to draw from: give --label-file with the columns name and label, or put the "
            "images of each class in a sub-folder of its own"
        )
