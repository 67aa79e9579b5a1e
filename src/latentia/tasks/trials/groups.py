"""Groups without labels: how far they agree with labels, or, where there are none, how steady they are (Hennig 2007)."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from latentia.core.noise import derive
from latentia.data.labels import class_names, numbers_for
from latentia.tasks.cluster_methods import fit, over_subsets
from latentia.tasks.cluster_scores import matched
from latentia.tasks.embed import check_codes, embed
from latentia.tasks.simple_codes import Rows, timed
from latentia.tasks.trial import Measured, Trial, trial
from latentia.tasks.trial_bench import MODEL, POINT, Bench, LeftOut

PLACE = 30
LEAST, UNLABELLED = 20, 50  # images to group, with labels to compare with and without
RE_RUNS = 5
AVERAGED = "the model's code keeps positions; for groups it is averaged over them"

Labels = npt.NDArray[np.int64]


def trials(bench: Bench) -> Iterator[Trial]:
    """Yield accuracy and NMI beside labels, or the steadiness of groups where there are none."""
    truth = numbers_for(bench.judged, class_names(bench.judged))
    known = np.flatnonzero(truth >= 0) if truth is not None else np.zeros(0, dtype=np.int64)
    labels = truth[known] if truth is not None else known
    if len(np.unique(labels)) < 2:
        yield _steadiness(bench)
        return
    count = len(np.unique(labels))
    if len(labels) < max(LEAST, 3 * count):
        raise LeftOut(f"{len(labels)} labelled images are too few for {count} groups")
    ways, sets = [], []
    for name, rows, fit_seconds, apply_seconds in _spaces(bench):
        found, seconds = timed(_groups, rows[known], count, bench.seed)
        right = matched(found, labels).astype(np.float64)
        ways.append(Measured(name, right, fit_seconds, apply_seconds + seconds))
        sets.append(dataclasses.replace(ways[-1], figure=Information(found, labels)))
    notes = [
        f"{count} communities of the neighbour graph of the judged images, found without labels as latentia cluster does"
    ]
    if len(bench.model.code_shape) == 3:
        notes.append(AVERAGED)
    for figure, measured in (("accuracy", ways), ("NMI", sets)):
        seed = derive(bench.seed, "groups")
        yield trial("groups beside labels", figure, measured, higher=True, margin=POINT, notes=notes, seed=seed)
        notes = []


@dataclasses.dataclass(frozen=True, eq=False)
class Information:
    """The normalised mutual information (arithmetic mean) of groups and labels, on the images at some places.

    As scikit-learn's, which checks its arguments for longer than it counts, and here is called a thousand times.
    """

    groups: Labels
    labels: Labels

    def __call__(self, places: Labels) -> float:
        """Return it, 0 to 1."""
        table = np.zeros((int(self.groups.max()) + 1, int(self.labels.max()) + 1))
        np.add.at(table, (self.groups[places], self.labels[places]), 1 / len(places))
        whole, first, second = _entropy(table), _entropy(table.sum(1)), _entropy(table.sum(0))
        return 1.0 if first + second == 0 else float(2 * (first + second - whole) / (first + second))


def _entropy(shares: npt.NDArray[np.float64]) -> float:
    known = shares[shares > 0]
    return float(-(known * np.log(known)).sum())


def _steadiness(bench: Bench) -> Trial:
    """Return how much of an image's group stays together when images are grouped again, some of them left out."""
    if len(bench.judged) < UNLABELLED:
        raise LeftOut(f"{len(bench.judged)} judged image(s) are too few to look for groups: it takes {UNLABELLED}")
    spaces = list(_spaces(bench))
    count = len(np.unique(_groups(spaces[0][1], None, bench.seed)))
    if count < 2:
        raise LeftOut("the model's codes show a single group, and there are no labels to compare with")
    ways = []
    for name, rows, fit_seconds, apply_seconds in spaces:

        def again(places: Labels, turn: int, rows: Rows = rows) -> Labels:
            return _groups(rows[places], count, derive(bench.seed, "again", turn) % 2**31)

        runs, seconds = timed(over_subsets, len(bench.judged), again, RE_RUNS, bench.seed)
        ways.append(Measured(name, overlaps(runs), fit_seconds, apply_seconds + seconds))
    notes = [
        f"no labels: {count} communities, as many as the model's codes show, found {RE_RUNS} times on four fifths of the images; "
        "the share of an image's group that is its group again (Jaccard)",
        "steady groups need not mean anything: look at them by latentia cluster",
    ]
    seed = derive(bench.seed, "steadiness")
    return trial("steadiness of groups", "overlap", ways, higher=True, margin=2 * POINT, notes=notes, seed=seed)


def overlaps(runs: Sequence[Labels]) -> npt.NDArray[np.float64]:
    """Return for each image the mean Jaccard overlap of its groups in two runs, over pairs of runs that both have it.

    Args:
        runs: labels ``[N]`` each, -2 where an image is not in the run.
    """
    sums, pairs = np.zeros(len(runs[0])), np.zeros(len(runs[0]))
    for place, first in enumerate(runs):
        for second in runs[place + 1 :]:
            both = np.flatnonzero((first > -2) & (second > -2))
            one, two = (np.unique(each[both], return_inverse=True)[1] for each in (first, second))
            table: Any = np.zeros((one.max(initial=0) + 1, two.max(initial=0) + 1))
            np.add.at(table, (one, two), 1)
            union = table.sum(1, keepdims=True) + table.sum(0, keepdims=True) - table
            sums[both] += (table / union)[one, two]
            pairs[both] += 1
    return sums / np.maximum(pairs, 1)


def _groups(rows: Rows, count: int | None, seed: int) -> Labels:
    return fit(rows, "communities", count, seed).labels


def _spaces(bench: Bench) -> Iterator[tuple[str, Rows, float, float]]:
    """Yield each space's name, the judged images in it, and the seconds of fitting and applying it."""
    codes, seconds = timed(lambda: embed(bench.model, bench.judged, pool=True))
    yield MODEL, check_codes(codes), bench.seconds, seconds
    for simple in bench.simple():
        rows, seconds = timed(simple.code, bench.fresh)
        yield simple.name, rows, simple.seconds, seconds
    yield bench.pixels_name, bench.fresh, 0.0, 0.0
