"""The bench that a trained autoencoder is tried on: its images, and what needs no network fitted to the same training images."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterator

import numpy as np

from latentia.data.imageset import ImageSet
from latentia.model import Autoencoder
from latentia.objective import Objective
from latentia.tasks.apply import over
from latentia.tasks.simple_codes import PCA_VALUES, Rows, SimpleCode, fit_nmf, fit_pca
from latentia.tasks.subsets import some

MODEL = "this model"
POINT = 0.01  # of accuracy, SSIM or NMI: what hardly anyone would notice
LARGEST_NMF = 64  # parts: more take minutes
WIDEST = 50  # components, where a code has as many numbers as an image


class LeftOut(Exception):
    """A task that is not tried; its text is the reason."""


@dataclasses.dataclass(eq=False)
class Bench:
    """A trained autoencoder, images that judge, and what is fitted to its training images once for all tasks.

    Attributes:
        model: the autoencoder.
        objective: what it was trained for.
        train: its training images.
        judged: images that it was not trained on.
        seconds: that its training took.
        seed: of every random choice.
    """

    model: Autoencoder
    objective: Objective
    train: ImageSet
    judged: ImageSet
    seconds: float
    seed: int = 0

    @property
    def size(self) -> int:
        """The numbers in a code."""
        return self.model.latent_dim

    @property
    def copies(self) -> bool:
        """Whether a code has as many numbers as an image, or more."""
        return self.size >= self.judged.format.pixels

    @property
    def pixels_name(self) -> str:
        """What tables call the image itself as a code."""
        return f"raw pixels ({self.judged.format.pixels:,})"

    def rows(self, images: ImageSet) -> Rows:
        """Return images as rows of pixels in [0, 1], as the model is given them, float32 ``[N, D]``."""
        return np.asarray(over(self.model, images, lambda batch: batch.pixels.flatten(1)), dtype=np.float32)

    @functools.cached_property
    def seen(self) -> Rows:
        """Training images as rows, as many as PCA takes at most."""
        return self.rows(some(self.train, max(100, PCA_VALUES // self.train.format.pixels)))

    @functools.cached_property
    def fresh(self) -> Rows:
        """The judged images as rows."""
        return self.rows(self.judged)

    @functools.cached_property
    def pca(self) -> SimpleCode:
        """PCA of as many components as the code has numbers, or of 50 where that is as many as an image has."""
        return fit_pca(self.seen, WIDEST if self.copies else self.size)

    @functools.cached_property
    def nmf(self) -> SimpleCode | None:
        """NMF of as many parts; ``None`` where these are many, and would take minutes."""
        size = int(self.pca.fitted.n_components_)
        return fit_nmf(self.seen, size) if size <= LARGEST_NMF else None

    def simple(self) -> Iterator[SimpleCode]:
        """Yield PCA, and NMF where it is."""
        yield self.pca
        if self.nmf is not None:
            yield self.nmf
