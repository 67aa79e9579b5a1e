"""Classes from a few labels: a linear probe (Alain & Bengio 2016) and nearest neighbours on codes and on pixels."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from latentia.core.noise import derive
from latentia.data.imageset import ImageSet
from latentia.data.labels import class_names, numbers_for
from latentia.tasks.embed import check_codes, embed
from latentia.tasks.shallow import shallow_answers
from latentia.tasks.simple_codes import Rows, timed
from latentia.tasks.trial import Measured, Trial, trial
from latentia.tasks.trial_bench import MODEL, POINT, Bench, LeftOut

PLACE = 20
LABELLED = 1000  # training images whose labels are learned from

Numbers = npt.NDArray[np.int64]


def trials(bench: Bench) -> Iterator[Trial]:
    """Yield the accuracy of both classifiers."""
    known, numbers, judged, truth = _labelled(bench)
    shown, asked = bench.train.select(known), bench.judged.select(judged)
    spaces = list(_spaces(bench, shown, asked))
    frequent = np.bincount(numbers).argmax() == truth
    for name, classifier in (("classes by a linear probe", "logistic"), ("classes by nearest neighbours", "knn")):
        ways = []
        for space, rows, others, fit_seconds, apply_seconds in spaces:
            (said, _), seconds = timed(shallow_answers, classifier, *_within_span(rows, others, numbers), bench.seed)
            ways.append(Measured(space, (said == truth).astype(np.float64), fit_seconds + seconds, apply_seconds))
        ways.append(Measured("most frequent class", frequent.astype(np.float64), 0.0, 0.0))
        note = f"learned from {len(numbers):,} labelled training images, by which its one setting was chosen, too"
        seed = derive(bench.seed, name)
        yield trial(name, "accuracy", ways, higher=True, margin=POINT, notes=[note], seed=seed)


def _labelled(bench: Bench) -> tuple[Numbers, Numbers, Numbers, Numbers]:
    """Return the places of labelled training images and their classes, and the same of judged images."""
    classes = class_names(bench.train)
    known, truth = numbers_for(bench.train, classes), numbers_for(bench.judged, classes)
    if known is None or truth is None:
        raise LeftOut(
            "the images have no labels" if known is truth else "only one of training and judged images have labels"
        )
    places = np.flatnonzero(known >= 0)
    if len(places) > LABELLED:
        random = np.random.default_rng(derive(bench.seed, "labelled"))
        places = np.sort(random.permutation(places)[:LABELLED])
    judged = np.flatnonzero(truth >= 0)
    if len(np.unique(known[places])) < 2 or not len(judged):
        raise LeftOut("the labels name fewer than two classes, or none that the judged images have")
    return places, known[places], judged, truth[judged]


def _spaces(bench: Bench, shown: ImageSet, asked: ImageSet) -> Iterator[tuple[str, Rows, Rows, float, float]]:
    """Yield each space's name, the images that are learned from and those that are asked for in it, and its seconds."""
    rows, first = timed(embed, bench.model, shown)
    others, second = timed(embed, bench.model, asked)
    yield MODEL, check_codes(rows), check_codes(others), bench.seconds + first, second
    pixels, fresh = bench.rows(shown), bench.rows(asked)
    for simple in bench.simple():
        rows, first = timed(simple.code, pixels)
        others, second = timed(simple.code, fresh)
        yield simple.name, rows, others, simple.seconds + first, second
    yield bench.pixels_name, pixels, fresh, 0.0, 0.0


def _within_span(rows: Rows, others: Rows, numbers: Numbers) -> tuple[Rows, Numbers, Rows]:
    """Return the rows, their classes and the others, in coordinates of the span of the rows where that is smaller.

    A linear model with a squared penalty, and the order of neighbours, see nothing of what is orthogonal to the rows.
    """
    if rows.shape[1] <= len(rows):
        return rows, numbers, others
    mean = rows.mean(0)
    axes = np.linalg.qr((rows - mean).T, mode="reduced")[0]
    return ((rows - mean) @ axes).astype(np.float32), numbers, ((others - mean) @ axes).astype(np.float32)
