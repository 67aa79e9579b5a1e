"""Prediction: the class of every image, with calibrated probabilities, and ``unsure`` where they are low."""

from __future__ import annotations

import collections
import csv
import dataclasses
import io
import math
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from latentia.classifier import Classifier
from latentia.core.atomic import write_bytes
from latentia.core.notebook import Printed
from latentia.data.imageset import ImageSet
from latentia.data.labels import UNSURE, class_names, numbers_for
from latentia.tasks.apply import over
from latentia.tasks.calibration import Reliability, reliability, softmax

LABELS = "labels.csv"  # in the run's folder: what it learned from


@dataclasses.dataclass(frozen=True, eq=False)
class Judgement(Printed):
    """How right predictions were, where the truth is known.

    Attributes:
        count: images with a label.
        error: the share of them that was named wrongly; a class the classifier does not know is always wrong.
        low, high: the 95 % interval of the error (Wilson 1927).
        calibration_error: the expected calibration error, 15 bins.
        nll: the mean negative log-likelihood in nats, over images of known classes.
        unsure: the share that was answered with ``unsure``.
        error_when_sure: the error among the others.
        confusion: ``[K, K]`` counts, a row for each true class that the classifier knows.
        strange: how many images have a class that it does not know, by the names of these classes.
        reliability: the bins of the calibration error.
    """

    count: int
    error: float
    low: float
    high: float
    calibration_error: float
    nll: float
    unsure: float
    error_when_sure: float
    confusion: npt.NDArray[np.int64]
    reliability: Reliability
    strange: dict[str, int] = dataclasses.field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return everything as JSON values."""
        return {**dataclasses.asdict(self), "confusion": self.confusion.tolist()}

    def __str__(self) -> str:
        lines = [
            f"error {self.error:.2%} of {self.count:,} labelled images (95 % interval {self.low:.2%} to {self.high:.2%}); "
            f"accuracy {1 - self.error:.2%}",
            f"expected calibration error {self.calibration_error:.2%}, log-loss {self.nll:.4f} nats",
        ]
        if self.strange:
            count = sum(self.strange.values())
            named = ", ".join(f"{name}: {number:,}" for name, number in self.strange.items())
            lines.append(f"{count:,} of them are of classes that it does not know and count as wrong ({named})")
        if self.unsure:
            others = "" if math.isnan(self.error_when_sure) else f"; error among the others {self.error_when_sure:.2%}"
            lines.append(f"unsure of {self.unsure:.2%}{others}")
        return "\n".join(lines)


@dataclasses.dataclass(frozen=True, eq=False)
class Prediction(Printed):
    """What a classifier says of images.

    Attributes:
        images: the images.
        classes: the name of each class.
        probabilities: float64 ``[N, K]``, calibrated.
        threshold: below this top probability the answer is ``unsure``.
        truth: int64 ``[N]``: the images' own labels as numbers of ``classes``, -1 unlabelled, -2 another class; or ``None``.
    """

    images: ImageSet
    classes: tuple[str, ...]
    probabilities: npt.NDArray[np.float64]
    threshold: float = 0.0
    truth: npt.NDArray[np.int64] | None = None

    @property
    def labels(self) -> npt.NDArray[np.int64]:
        """The likeliest class of each image, int64 ``[N]``."""
        return self.probabilities.argmax(1).astype(np.int64)

    @property
    def unsure(self) -> npt.NDArray[np.bool_]:
        """Where the top probability is below the threshold, ``[N]``."""
        return np.asarray(self.probabilities.max(1) < self.threshold)

    @property
    def answers(self) -> list[str]:
        """The name of each image's class, or ``unsure``."""
        return [
            UNSURE if unsure else self.classes[label] for label, unsure in zip(self.labels, self.unsure, strict=True)
        ]

    @property
    def true_names(self) -> list[str]:
        """The name of each image's own class, of those that the classifier does not know, too; empty where there is none."""
        labels = self.images.labels
        if labels is None:
            return ["another"] * len(self.images)
        names = class_names(self.images)
        return [names[label] if label >= 0 else "" for label in labels]

    def judgement(self) -> Judgement | None:
        """Return how right the answers are, or ``None`` where no image has a label."""
        if self.truth is None or not (self.truth != -1).any():
            return None
        rows, names = np.flatnonzero(self.truth != -1), self.true_names
        truth, said, chances = self.truth[rows], self.labels[rows], self.probabilities[rows]
        wrong, unsure = said != truth, self.unsure[rows]
        known = truth >= 0
        own = chances[known, truth[known]]
        confusion = np.zeros((len(self.classes), len(self.classes)), dtype=np.int64)
        np.add.at(confusion, (truth[known], said[known]), 1)
        bins = reliability(chances, truth)
        low, high = wilson(int(wrong.sum()), len(rows))
        return Judgement(
            count=len(rows),
            error=float(wrong.mean()),
            low=low,
            high=high,
            calibration_error=bins.error,
            nll=float(-np.log(np.maximum(own, 1e-12)).mean()) if known.any() else math.nan,
            unsure=float(unsure.mean()),
            error_when_sure=float(wrong[~unsure].mean()) if (~unsure).any() else math.nan,
            confusion=confusion,
            reliability=bins,
            strange=dict(collections.Counter(names[row] for row in rows[~known])),
        )

    def to_json(self) -> dict[str, Any]:
        """Return counts and figures."""
        judged = self.judgement()
        counts = np.bincount(self.labels, minlength=len(self.classes))
        return {
            "source": self.images.source,
            "split": self.images.split,
            "count": len(self.images),
            "classes": list(self.classes),
            "predicted": counts.tolist(),
            "threshold": self.threshold,
            "unsure": int(self.unsure.sum()),
            **({} if judged is None else {"judgement": judged.to_json()}),
        }

    def __str__(self) -> str:
        answers = self.answers
        names = [*self.classes, *([UNSURE] if UNSURE in answers else [])]
        width = max(map(len, names))
        lines = [f"{self.images.source}, {self.images.split} split, {len(answers):,} images"]
        lines += [f"  {name:<{width}}  {answers.count(name):>7,}" for name in names]
        judged = self.judgement()
        return "\n".join([*lines, *([] if judged is None else [str(judged)])])

    def write_csv(self, path: Path) -> None:
        """Write name, label (or ``unsure``) and the probability of each class, a row an image, atomically."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(["name", "label", *(f"p({name})" for name in self.classes)])
        for name, answer, chances in zip(self.images.names, self.answers, self.probabilities, strict=True):
            writer.writerow([name, answer, *(f"{chance:.6f}" for chance in chances)])
        write_bytes(path, text.getvalue().encode())


def predict(
    model: Classifier,
    images: ImageSet,
    temperature: float = 1.0,
    threshold: float = 0.0,
    learned: npt.NDArray[np.bool_] | None = None,
) -> Prediction:
    """Return what ``model`` says of ``images``; those that are ``learned``, bool ``[N]``, count as unlabelled.

    Raises:
        UserError: model and images do not fit each other.
    """
    logits = over(model, images, lambda batch: model(batch.pixels))
    chances = softmax(logits, temperature)
    truth = numbers_for(images, model.classes)
    if truth is not None and learned is not None:
        truth = np.where(learned, -1, truth)
    return Prediction(images, model.classes, chances, threshold, truth)


def learned_labels(folder: Path) -> dict[str, str]:
    """Return the labels that a classifier's run learned from, by the names of the images."""
    try:
        with (folder / LABELS).open(newline="", encoding="utf-8") as file:
            return {row["name"]: row["label"] for row in csv.DictReader(file)}
    except FileNotFoundError:
        return {}


def learned_names(folder: Path) -> frozenset[str]:
    """Return the names of the images whose labels a classifier's run learned from."""
    return frozenset(learned_labels(folder))


def wilson(wrong: int, count: int, z: float = 1.959964) -> tuple[float, float]:
    """Return the 95 % interval of a share (Wilson 1927): sensible at 0 and 1, too."""
    share = wrong / count
    middle = (share + z * z / (2 * count)) / (1 + z * z / count)
    reach = z / (1 + z * z / count) * math.sqrt(share * (1 - share) / count + z * z / (4 * count * count))
    return max(0.0, middle - reach), min(1.0, middle + reach)
