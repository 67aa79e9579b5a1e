"""The linear probe: logistic regression on frozen features (Alain & Bengio 2016), through scikit-learn.

How strongly the weights are held back is chosen by cross-validation among the labels themselves; the same folds give the
out-of-fold probabilities by which the temperature is fitted.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from latentia.classifier import Classifier
from latentia.data.imageset import ImageSet
from latentia.data.labels import Labels
from latentia.tasks.apply import over

STRENGTHS = (1e-3, 1e-2, 1e-1, 1.0, 10.0)  # of the inverse penalty, C


@dataclasses.dataclass(frozen=True, eq=False)
class Probe:
    """What a probe came to.

    Attributes:
        strength: the chosen inverse penalty.
        logits: float64 ``[labels, K]``, out of fold where every class has two labels or more, else of the fit itself.
        numbers: int64 ``[labels]``, the classes.
        loss, accuracy: of the fit, on the labelled images.
    """

    strength: float
    logits: npt.NDArray[np.float64]
    numbers: npt.NDArray[np.int64]
    loss: float
    accuracy: float


def fit_probe(model: Classifier, images: ImageSet, labels: Labels, *, seed: int = 0) -> Probe:
    """Fit the linear head of ``model`` to the labelled images, in place; the features stay as they are."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import log_loss
    from sklearn.model_selection import StratifiedKFold

    known = np.flatnonzero(labels.numbers >= 0)
    numbers = labels.numbers[known]
    features = over(model, images.select(known), lambda batch: model.features(batch.pixels).flatten(1).float())
    mean = features.mean(0, dtype=np.float64)
    # one scale for all: a feature that hardly moves is not blown up; the penalty then means the same for every encoder
    scale = float(features.std(dtype=np.float64)) * np.sqrt(features.shape[1]) + 1e-12
    rows = (features - mean) / scale * 10.0

    def fitted(strength: float, chosen: Any) -> Any:
        return LogisticRegression(C=strength, max_iter=2000).fit(rows[chosen], numbers[chosen])

    count = min(5, int(np.bincount(numbers).min()))
    best, held = STRENGTHS[2], None
    if count >= 2:
        folds = list(StratifiedKFold(count, shuffle=True, random_state=seed % 2**32).split(rows, numbers))
        losses = {}
        for strength in STRENGTHS:
            logits = np.empty((len(rows), len(labels.classes)))
            for inside, outside in folds:
                logits[outside] = _logits(fitted(strength, inside), rows[outside])
            chances = _softmax(logits)
            losses[strength] = (log_loss(numbers, chances, labels=range(len(labels.classes))), logits)
        best = min(losses, key=lambda strength: losses[strength][0])
        held = losses[best][1]
    final = fitted(best, np.arange(len(rows)))
    own = _logits(final, rows)
    weight, bias = _weights(final)
    weight = weight * (10.0 / scale)
    bias = bias - weight @ mean
    with torch.no_grad():
        model.last.weight.copy_(torch.from_numpy(weight))
        model.last.bias.copy_(torch.from_numpy(bias))
    return Probe(
        strength=best,
        logits=own if held is None else held,
        numbers=numbers,
        loss=float(log_loss(numbers, _softmax(own), labels=range(len(labels.classes)))),
        accuracy=float((own.argmax(1) == numbers).mean()),
    )


def _weights(fitted: Any) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    weight, bias = fitted.coef_, fitted.intercept_
    if len(weight) == 1:  # two classes: scikit-learn keeps their difference
        return np.concatenate([-weight / 2, weight / 2]), np.concatenate([-bias / 2, bias / 2])
    return weight, bias


def _logits(fitted: Any, rows: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    weight, bias = _weights(fitted)
    return rows @ weight.T + bias


def _softmax(logits: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    risen = np.exp(logits - logits.max(1, keepdims=True))
    return risen / risen.sum(1, keepdims=True)
