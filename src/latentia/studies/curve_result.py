"""A learning curve: error over the number of labels for each way to a classifier, and what pre-training bought."""

from __future__ import annotations

import csv
import dataclasses
import io
import itertools
import math
import os
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from latentia.core.errors import UserError
from latentia.core.notebook import Printed
from latentia.studies.draws import LEVEL, DrawsFigure, error_over_draws, over_draws
from latentia.tasks.conformal import holm
from latentia.training.run_folder import RunFolder

KIND = "learning-curve"
PRETRAINED, SCRATCH = "pre-trained", "scratch"


@dataclasses.dataclass(frozen=True)
class Gain:
    """What pre-training bought with one number of labels.

    Attributes:
        count: the labels.
        scratch, pretrained: mean errors over the draws that both have.
        difference: error from scratch less error pre-trained, paired by draw and image; above 0 pre-training helped.
        p_value: that it is 0, adjusted for the other numbers of labels (Holm 1979).
    """

    count: int
    scratch: float
    pretrained: float
    difference: DrawsFigure
    p_value: float

    @property
    def verdict(self) -> str:
        """``bought``, ``cost``, ``nothing``, or ``untold`` of a single draw."""
        if math.isnan(self.p_value):
            return "untold"
        if self.p_value >= LEVEL:
            return "nothing"
        return "bought" if self.difference.mean > 0 else "cost"


class LearningCurve(Printed):
    """A learning curve in its folder, finished or not.

    Attributes:
        path: its folder.
        description: its ``run.json``.
        counts: numbers of labels.
        draws: how often each was drawn.
        methods: what each row is called, by its name.
        judged: how many images it is judged on.

    Raises:
        UserError: the folder holds no learning curve.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        folder = RunFolder.open(path)
        self.path, self.description = folder.path, folder.describe()
        if self.description.get("kind") != KIND:
            raise UserError(f"{path} holds no learning curve, but a {self.description.get('kind', 'folder')}")
        asked = self.description["asked"]
        self.counts: tuple[int, ...] = tuple(asked["labels"])
        self.draws: int = asked["draws"]
        self.methods: dict[str, str] = {row: self.description["names"][row] for row in asked["rows"]}
        self.judged: int = self.description["judged"]["count"]
        self._rows = {(row["row"], row["labels"], row["draw"]): row for row in folder.metrics()}

    @property
    def done(self) -> int:
        """How many of its trainings are there."""
        return sum(key in self._rows for key in self._keys())

    @property
    def wanted(self) -> int:
        """How many trainings it is made of."""
        return len(self._keys())

    def waiting(self) -> Iterator[tuple[str, int, int]]:
        """Yield row, labels and draw of each training that is not there yet."""
        yield from (key for key in self._keys() if key not in self._rows)

    def wrong(self, row: str, count: int) -> npt.NDArray[np.bool_] | None:
        """Return which images were named wrongly in each draw, ``[J, n]``; ``None`` where there is no draw yet."""
        found = [self._rows[key] for key in self._keys() if key[:2] == (row, count) and key in self._rows]
        return np.stack([self._mask(each) for each in found]) if found else None

    def error(self, row: str, count: int) -> DrawsFigure | None:
        """Return the error of one way with ``count`` labels, ``None`` where there is no draw yet."""
        wrong = self.wrong(row, count)
        return None if wrong is None else error_over_draws(wrong)

    def seconds(self, row: str, count: int) -> float:
        """Return the mean time of one training and its judgement."""
        found = [each["seconds"] for key, each in self._rows.items() if key[:2] == (row, count)]
        return float(np.mean(found)) if found else math.nan

    @property
    def gains(self) -> list[Gain]:
        """What pre-training bought with each number of labels; empty where one of both networks was not asked for."""
        found = []
        for count in self.counts:
            draws = [
                draw
                for draw in range(self.draws)
                if (PRETRAINED, count, draw) in self._rows and (SCRATCH, count, draw) in self._rows
            ]
            if not draws or not {PRETRAINED, SCRATCH} <= set(self.methods):
                continue
            with_it, without = (
                np.stack([self._mask(self._rows[row, count, draw]) for draw in draws]).astype(float)
                for row in (PRETRAINED, SCRATCH)
            )
            difference = over_draws(without - with_it)
            found.append(Gain(count, float(without.mean()), float(with_it.mean()), difference, difference.p_value))
        adjusted = holm([each.difference.p_value for each in found])
        return [dataclasses.replace(each, p_value=value) for each, value in zip(found, adjusted, strict=True)]

    def best_without_finetuning(self, count: int) -> tuple[str, float] | None:
        """Return the classifier of scikit-learn that errs least with ``count`` labels, and its mean error."""
        errors = {
            row: found.mean
            for row in self.methods
            if row not in (PRETRAINED, SCRATCH) and (found := self.error(row, count)) is not None
        }
        if not errors:
            return None
        best = min(errors, key=errors.__getitem__)
        return best, errors[best]

    def labels_from_scratch(self, error: float) -> float | None:
        """Return with how many labels the network from scratch reaches ``error``, between those measured.

        ``inf`` where it does not with the most, ``None`` where it does with the fewest or was not measured.
        """
        points = [(count, found.mean) for count in self.counts if (found := self.error(SCRATCH, count)) is not None]
        if not points or points[0][1] <= error:
            return None
        for (few, high), (many, low) in itertools.pairwise(points):
            if low <= error:
                share = (high - error) / (high - low)
                return float(np.exp(np.log(few) + share * (np.log(many) - np.log(few))))
        return math.inf

    def to_json(self) -> dict[str, Any]:
        """Return all figures."""
        return {
            "labels": list(self.counts),
            "draws": self.draws,
            "judged": self.description["judged"],
            "errors": {
                row: {
                    str(count): dataclasses.asdict(found)
                    for count in self.counts
                    if (found := self.error(row, count)) is not None
                }
                for row in self.methods
            },
            "gains": [{**dataclasses.asdict(each), "verdict": each.verdict} for each in self.gains],
        }

    def csv_text(self) -> str:
        """Return the table for a spreadsheet: a line for each way and number of labels."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(["labels", "row", "name", "draws", "mean", "std", "worst", "low", "high", "seconds"])
        for count in self.counts:
            for row, name in self.methods.items():
                found = self.error(row, count)
                if found is not None:
                    figures = [found.mean, found.std, found.worst, found.low, found.high, self.seconds(row, count)]
                    cells = ["" if math.isnan(value) else f"{value:.6g}" for value in figures]
                    writer.writerow([count, row, name, len(found.values), *cells])
        return text.getvalue()

    def __str__(self) -> str:
        from latentia.studies.curve_words import curve_text

        return curve_text(self)

    def _keys(self) -> list[tuple[str, int, int]]:
        return [(row, count, draw) for count in self.counts for draw in range(self.draws) for row in self.methods]

    def _mask(self, row: dict[str, Any]) -> npt.NDArray[np.bool_]:
        mask = np.zeros(self.judged, dtype=bool)
        mask[row["wrong"]] = True
        return mask


def open_learning_curve(path: str | os.PathLike[str]) -> LearningCurve:
    """Return the learning curve in the folder ``path``.

    Raises:
        UserError: it holds none.
    """
    return LearningCurve(path)
