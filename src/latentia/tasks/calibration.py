"""Calibration: one temperature for all logits, so that probabilities mean what they say (Guo et al. 2017, section 4.2).

Kept beside the model as ``calibration.json``. Labels that were learned from cannot tell how often a network errs, and none
are set aside. How often its answers survive augmentation can: that share comes close to its accuracy (in the spirit of
Jiang et al. 2022, "Assessing generalization via disagreement"; theirs is between networks). So the temperature is the one at
which it is as sure of images, on average, as its answers are stable; it never sharpens. A probe's is fitted on its
out-of-fold logits, as Guo's is on held-out ones.
"""

from __future__ import annotations

import dataclasses
import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from latentia.classifier import Classifier
from latentia.core.atomic import write_json
from latentia.core.errors import UserError
from latentia.core.noise import Noise
from latentia.data.imageset import ImageSet
from latentia.parts.base import Augmentation
from latentia.tasks.apply import over
from latentia.training.storage import FORMAT, read_json

FILE = "calibration.json"
BINS = 15
WIDEST = 20.0  # the greatest temperature
LOOKED_AT, COPIES = 2000, 3  # images, and how often each is augmented, to see which answers are stable


@dataclasses.dataclass(frozen=True)
class Reliability:
    """How far probabilities can be trusted (Guo et al. 2017, eqs. 2 and 3).

    Attributes:
        error: the expected calibration error, over 15 bins of equal width.
        edges: the bins' edges.
        counts: images in each bin.
        confidence, accuracy: their means in each bin, 0 where it is empty.
    """

    error: float
    edges: tuple[float, ...]
    counts: tuple[int, ...]
    confidence: tuple[float, ...]
    accuracy: tuple[float, ...]


def reliability(chances: npt.NDArray[np.float64], numbers: npt.NDArray[np.int64], bins: int = BINS) -> Reliability:
    """Return how well the top probabilities ``[N, K]`` agree with how often they are right."""
    top, right = chances.max(1), chances.argmax(1) == numbers
    place = np.minimum((top * bins).astype(int), bins - 1)
    counts = np.bincount(place, minlength=bins)
    confidence = np.bincount(place, top, bins) / np.maximum(counts, 1)
    accuracy = np.bincount(place, right.astype(float), bins) / np.maximum(counts, 1)
    error = float((counts * np.abs(confidence - accuracy)).sum() / max(len(top), 1))
    return Reliability(
        error,
        tuple(np.linspace(0, 1, bins + 1).tolist()),
        tuple(counts.tolist()),
        tuple(confidence.tolist()),
        tuple(accuracy.tolist()),
    )


def fit_temperature(
    logits: npt.NDArray[np.floating[Any]], numbers: npt.NDArray[np.int64], least: float = 0.05
) -> float:
    """Return the temperature of least cross-entropy, between ``least`` and 20."""
    from scipy.optimize import minimize_scalar

    scores = np.asarray(logits, dtype=np.float64)

    def loss(log_temperature: float) -> float:
        chances = softmax(scores, float(np.exp(log_temperature)))
        return float(-np.log(np.maximum(chances[np.arange(len(scores)), numbers], 1e-300)).mean())

    limits = (np.log(least), np.log(WIDEST))
    found = float(minimize_scalar(loss, bounds=limits, method="bounded").x)
    # the bounded search stops just short of an end
    return float(np.exp(min((limits[0], found, limits[1]), key=loss)))


def softmax(logits: npt.NDArray[np.floating[Any]], temperature: float = 1.0) -> npt.NDArray[np.float64]:
    """Return probabilities, float64 ``[N, K]``."""
    scaled = np.asarray(logits, dtype=np.float64) / temperature
    risen = np.exp(scaled - scaled.max(1, keepdims=True))
    return np.asarray(risen / risen.sum(1, keepdims=True))


def temperature_from_stability(
    model: Classifier, images: ImageSet, augmentation: Augmentation, *, seed: int = 0
) -> float:
    """Return the temperature, 1 or more, at which confidence agrees with how often answers survive ``augmentation``.

    Args:
        model: the classifier.
        images: unlabelled ones where there are any, since it has not learned their labels by heart; 2,000 are looked at.
        augmentation: that of training; without one there is nothing to go by, and the answer is 1.
        seed: of the augmentation.
    """
    if augmentation.name == "none":
        return 1.0
    shown = images.select(np.linspace(0, len(images) - 1, min(len(images), LOOKED_AT)).astype(np.int64))
    plain = over(model, shown, lambda batch: model(batch.pixels))
    stable = []
    for copy in range(COPIES):
        seen = over(
            model,
            shown,
            lambda batch, copy=copy: model(augmentation(batch.pixels, Noise(seed, batch.ids, "stability", copy))),
        )
        stable.append(float((seen.argmax(1) == plain.argmax(1)).mean()))
    return temperature_for_confidence(plain, float(np.mean(stable)))


def temperature_for_confidence(logits: npt.NDArray[np.floating[Any]], wanted: float) -> float:
    """Return the temperature from 1 to 20 at which the mean top probability is ``wanted``, or the nearest end."""
    from scipy.optimize import brentq

    def excess(temperature: float) -> float:
        return float(softmax(logits, temperature).max(1).mean()) - wanted

    if excess(1.0) <= 0:
        return 1.0
    return WIDEST if excess(WIDEST) >= 0 else float(brentq(excess, 1.0, WIDEST, xtol=1e-4))


def keep_temperature(folder: Path, temperature: float, origin: str) -> None:
    """Write the temperature beside the model it belongs to."""
    model = _digest(folder / "model.safetensors")
    write_json(folder / FILE, {"format": FORMAT, "temperature": temperature, "from": origin, "model": model})


def kept_temperature(folder: Path) -> float:
    """Return the temperature that is kept beside the model; 1 where there is none, or where it is another model's."""
    try:
        values = read_json(folder / FILE, "calibrated run")
    except UserError:
        return 1.0
    if values.get("model") != _digest(folder / "model.safetensors"):
        return 1.0
    return float(values["temperature"])


def _digest(path: Path) -> str:
    return hashlib.blake2b(path.read_bytes(), digest_size=16).hexdigest()
