"""Codes that need no network: PCA (Hotelling 1933) and non-negative matrix factorisation (Lee & Seung 1999), by scikit-learn."""

from __future__ import annotations

import contextlib
import dataclasses
import time
import warnings
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

T = TypeVar("T")
Rows = npt.NDArray[np.float32]  # [N, D], pixels in [0, 1]

PCA_VALUES = 50_000_000  # pixels that PCA is fitted on at most
NMF_VALUES = 4_000_000  # and NMF, which takes its time


@dataclasses.dataclass(frozen=True)
class SimpleCode:
    """A linear code that has been fitted.

    Attributes:
        name: such as ``PCA-16``.
        fitted: of scikit-learn.
        seconds: that fitting took.
    """

    name: str
    fitted: Any
    seconds: float

    def code(self, pixels: Rows) -> Rows:
        """Return the codes of images ``[N, D]``, float32 ``[N, k]``."""
        with _without_convergence():
            return np.asarray(self.fitted.transform(self._fit_for(pixels)), dtype=np.float32)

    def rebuild(self, pixels: Rows) -> Rows:
        """Return the images as their codes give them back, float32 ``[N, D]``, within [0, 1]."""
        return np.clip(self.fitted.inverse_transform(self.code(pixels)), 0, 1).astype(np.float32)

    def _fit_for(self, pixels: Rows) -> Rows:
        # images of a wider range than the training images' may have values below 0, which NMF does not take
        return np.maximum(pixels, 0) if self.name.startswith("NMF") else pixels


def fit_pca(pixels: Rows, size: int) -> SimpleCode:
    """Return PCA with ``size`` components, fewer where there are not so many images or pixels."""
    from sklearn.decomposition import PCA

    some = spaced(pixels, max(100, PCA_VALUES // pixels.shape[1]))
    size = max(1, min(size, *some.shape))
    fitted, seconds = timed(PCA(size, random_state=0).fit, some)
    return SimpleCode(f"PCA-{size}", fitted, seconds)


def fit_nmf(pixels: Rows, size: int) -> SimpleCode:
    """Return NMF with ``size`` parts, fewer where there are not so many images or pixels."""
    from sklearn.decomposition import NMF

    some = np.maximum(spaced(pixels, max(100, NMF_VALUES // pixels.shape[1])), 0)
    size = max(1, min(size, *some.shape))
    with _without_convergence():
        fitted, seconds = timed(NMF(size, init="nndsvda", max_iter=200, random_state=0).fit, some)
    return SimpleCode(f"NMF-{size}", fitted, seconds)


@contextlib.contextmanager
def _without_convergence() -> Iterator[None]:
    """Keep NMF from warning that it has not converged: 200 rounds are what it gets."""
    from sklearn.exceptions import ConvergenceWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        yield


def spaced(rows: npt.NDArray[Any], most: int) -> npt.NDArray[Any]:
    """Return at most ``most`` rows, evenly spaced."""
    return rows if len(rows) <= most else rows[np.linspace(0, len(rows) - 1, most).astype(np.int64)]


def timed(function: Callable[..., T], *given: Any) -> tuple[T, float]:
    """Return what ``function`` returns, and the seconds that it took."""
    start = time.perf_counter()
    return function(*given), time.perf_counter() - start
