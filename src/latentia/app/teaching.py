"""A classifier from the labels so far: the linear probe, its accuracy by cross-validation, and what it says of every image."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from latentia.classifier import Classifier
from latentia.data.imageset import ImageSet
from latentia.data.labels import Labels
from latentia.finetuning import FineTuning
from latentia.model import Autoencoder
from latentia.tasks.apply import BATCH, stream
from latentia.tasks.calibration import fit_temperature, softmax
from latentia.tasks.finetune import classifier_from
from latentia.tasks.predict import wilson
from latentia.tasks.probe import fit_probe

Progress = Callable[[int, int], None]


@dataclasses.dataclass(frozen=True, eq=False)
class Lesson:
    """What was learned from some labels.

    Attributes:
        classes: the name of each class.
        labels: how many labels it learned from.
        accuracy: by cross-validation among the labels, with its 95 % interval (Wilson 1927); ``None`` where a class has a
            single label.
        chances: float64 ``[N, K]``, calibrated.
        model: the probe, for further images.
        temperature: what its logits are divided by.
        note: why there is no accuracy, or an empty string.
    """

    classes: tuple[str, ...]
    labels: int
    accuracy: tuple[float, float, float] | None
    chances: npt.NDArray[np.float64]
    model: Classifier
    temperature: float
    note: str = ""

    @property
    def answers(self) -> npt.NDArray[np.int64]:
        """The likeliest class of each image, int64 ``[N]``."""
        return self.chances.argmax(axis=1).astype(np.int64)

    @property
    def doubt(self) -> npt.NDArray[np.float64]:
        """How unsure each answer is, float64 ``[N]``, 0 to 1."""
        return doubts(self.chances)

    def __str__(self) -> str:
        start = f"{self.labels:,} labels of {len(self.classes)} classes"
        if self.accuracy is None:
            return f"{start}; {self.note}"
        right, low, high = self.accuracy
        return f"{start}: {right:.0%} right in cross-validation (95 % interval {low:.0%} to {high:.0%})"


def doubts(chances: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return how unsure each answer is, 0 to 1: one minus the lead of the likeliest class of ``[N, K]`` over the second."""
    if chances.shape[1] < 2:
        return np.zeros(len(chances))
    two = np.partition(chances, -2, axis=1)[:, -2:]
    return np.asarray(1.0 - (two[:, 1] - two[:, 0]))


def learn(
    autoencoder: Autoencoder, images: ImageSet, labels: Labels, *, seed: int = 0, progress: Progress = lambda *_: None
) -> Lesson:
    """Fit a probe to the labels and ask it about every image.

    Args:
        autoencoder: whose features are used; it is left as it is.
        images: all images.
        labels: of two classes or more.
        seed: of the folds.
        progress: told how many images are done, of how many.

    Raises:
        UserError: model and images do not fit each other.
    """
    model = classifier_from(autoencoder, labels.classes, FineTuning(mode="probe"), None, seed).eval()
    probe = fit_probe(model, images, labels, seed=seed)
    counts = np.bincount(probe.numbers, minlength=len(labels.classes))
    note, accuracy, temperature = "", None, 1.0
    if counts.min() >= 2:
        right = int((probe.logits.argmax(1) == probe.numbers).sum())
        low, high = wilson(right, len(probe.numbers))
        accuracy = (right / len(probe.numbers), low, high)
        temperature = fit_temperature(probe.logits, probe.numbers)
    else:
        alone = labels.classes[int(counts.argmin())]
        note = f"no cross-validation yet, for {alone!r} has a single label: give every class two or more"
    found = []
    size = max(1, min(BATCH, 2**22 // max(1, images.format.pixels)))
    for part in stream(model, images, lambda batch: model(batch.pixels), size):
        found.append(part)
        progress(min(len(found) * size, len(images)), len(images))
    chances = softmax(np.concatenate(found).astype(np.float64), temperature)
    return Lesson(labels.classes, labels.count, accuracy, chances, model, temperature, note)
