"""Classifiers without a network of their own, from scikit-learn: on raw pixels, on PCA (Hotelling 1933), or on frozen codes.

They are what fine-tuning has to beat. Their one setting (how strongly the weights are held back, or how many neighbours are
asked) is chosen by cross-validation among the labels themselves, as a person without more labels would have to.
"""

from __future__ import annotations

import dataclasses
import functools
import warnings
from typing import Any

import numpy as np
import numpy.typing as npt

from latentia.data.imageset import ImageSet
from latentia.model import Autoencoder
from latentia.tasks.apply import over

Rows = npt.NDArray[np.float32]
SPACES = ("pixels", "pca", "codes")
CLASSIFIERS = ("logistic", "svm", "knn")
FITTED_ON = 10_000  # images that the components are found on
WIDEST = 50  # components, where the code is as large as the image
MOST = 2000  # labels among which a setting is chosen
LIMITS: dict[str, tuple[str, tuple[float, ...], float]] = {  # the setting, its values, and the one without folds
    "logistic": ("C", (1e-3, 1e-2, 1e-1, 1.0, 10.0), 0.1),
    "svm": ("C", (1.0, 10.0, 100.0), 10.0),
    "knn": ("n_neighbors", (1, 3, 5), 1),
}


@dataclasses.dataclass(frozen=True, eq=False)
class Spaces:
    """Images as rows of numbers.

    Attributes:
        images: all images that may be seen, labelled or not.
        model: the autoencoder whose deterministic codes are a space.
        judged: images that are asked for again and again: their rows are kept.
        seed: of the choice of images that the components are found on.
    """

    images: ImageSet
    model: Autoencoder
    judged: ImageSet
    seed: int = 0
    _kept: dict[str, Rows] = dataclasses.field(default_factory=dict, repr=False)

    def judged_rows(self, space: str) -> Rows:
        """Return the judged images in ``space``, float32 ``[N, D]``."""
        if space not in self._kept:
            self._kept[space] = self.rows(space, self.judged)
        return self._kept[space]

    def rows(self, space: str, images: ImageSet) -> Rows:
        """Return ``images`` in ``space``, float32 ``[N, D]``."""
        if space == "codes":
            return over(self.model, images, lambda batch: self.model.encode(batch.pixels).vector(False).float())
        pixels = over(self.model, images, lambda batch: batch.pixels.flatten(1))
        return pixels if space == "pixels" else np.asarray(self.pca.transform(pixels), dtype=np.float32)

    @functools.cached_property
    def pca(self) -> Any:
        """As many components as the code has numbers, or 50 where those are as many as the pixels."""
        from sklearn.decomposition import PCA

        chosen = np.random.default_rng(self.seed).permutation(len(self.images))[:FITTED_ON]
        pixels = over(self.model, self.images.select(np.sort(chosen)), lambda batch: batch.pixels.flatten(1))
        size = self.model.latent_dim if self.model.latent_dim < min(pixels.shape) else min(WIDEST, *pixels.shape)
        return PCA(size, svd_solver="randomized", random_state=0).fit(pixels)

    def name(self, space: str) -> str:
        """Return what a table calls ``space``."""
        return {
            "pixels": "raw pixels",
            "pca": f"PCA-{self.pca.n_components_}" if space == "pca" else "",
            "codes": f"frozen codes ({self.model.latent_dim:,} numbers)",
        }[space]


def shallow_answers(
    classifier: str, rows: Rows, numbers: npt.NDArray[np.int64], others: Rows, seed: int = 0
) -> tuple[npt.NDArray[np.int64], str]:
    """Return the classes of ``others`` by a classifier that learned from ``rows``, and the setting that it chose.

    Args:
        classifier: ``logistic`` regression, ``svm`` (radial basis functions) or ``knn``.
        rows: float32 ``[L, D]``.
        numbers: int64 ``[L]``: their classes, two or more.
        others: float32 ``[N, D]``.
        seed: of the folds.
    """
    from sklearn.exceptions import ConvergenceWarning

    mean = rows.mean(0, dtype=np.float64)
    # one scale for all columns: what hardly moves is not blown up, and the penalty means the same in every space
    scale = float(rows.std(dtype=np.float64)) * np.sqrt(rows.shape[1]) / 10.0 + 1e-12
    known, asked = (rows - mean) / scale, (others - mean) / scale
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        setting, value = _choose(classifier, known, numbers, seed)
        fitted = _make(classifier, value, len(numbers)).fit(known, numbers)
    return np.asarray(fitted.predict(asked), dtype=np.int64), f"{setting}={value:g}"


def _choose(
    classifier: str, rows: npt.NDArray[np.float64], numbers: npt.NDArray[np.int64], seed: int
) -> tuple[str, float]:
    from sklearn.model_selection import StratifiedKFold, cross_val_score

    setting, values, plain = LIMITS[classifier]
    some = np.random.default_rng(seed % 2**63).permutation(len(numbers))[:MOST]
    rows, numbers = rows[some], numbers[some]
    counts = np.bincount(numbers)
    folds = min(5, int(counts[counts > 0].min()))
    if folds < 2:
        return setting, plain
    parts = StratifiedKFold(folds, shuffle=True, random_state=seed % 2**32)
    scoring = "neg_log_loss" if classifier == "logistic" else "accuracy"
    least = len(numbers) - -(-len(numbers) // folds)
    scores = {
        value: cross_val_score(_make(classifier, value, least), rows, numbers, cv=parts, scoring=scoring).mean()
        for value in values
    }
    return setting, max(scores, key=scores.__getitem__)


def _make(classifier: str, value: float, count: int) -> Any:
    from sklearn.linear_model import LogisticRegression
    from sklearn.neighbors import KNeighborsClassifier
    from sklearn.svm import SVC

    if classifier == "logistic":
        return LogisticRegression(C=value, max_iter=2000)
    return SVC(C=value) if classifier == "svm" else KNeighborsClassifier(min(int(value), count))
