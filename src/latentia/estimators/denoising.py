"""The denoising autoencoder as a scikit-learn estimator: ``predict`` restores noisy images."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from latentia.core.errors import UserError
from latentia.core.noise import Noise
from latentia.estimators._base import BaseAutoencoder
from latentia.estimators._noise_of_pixels import ids_of_pixels
from latentia.presets import Design
from latentia.tasks.apply import over
from latentia.tasks.denoise import denoise
from latentia.tasks.reconstruct import squared_error


class DenoisingAutoencoder(BaseAutoencoder):
    """A denoising autoencoder (the ``dae`` preset): fit it on clean images, and ``predict`` restores noisy ones.

    The noise it learns to undo is half of the pixels off, or ``options={"corruption": "gaussian:sigma=0.1"}``.
    ``preset="denoising-cae"`` has a small vector code, for features.
    """

    _preset: ClassVar[str] = "dae"

    def predict(self, X: Any) -> npt.NDArray[Any]:
        """Return noisy ``X`` restored as it is, in its layout, dtype and range; nothing is corrupted further."""
        images = self._seen(X)
        return self._as_given(denoise(self.model_, images).pixels)

    def denoise(self, X: Any) -> npt.NDArray[Any]:
        """Return what :meth:`predict` does."""
        return self.predict(X)

    def score_samples(self, X: Any) -> npt.NDArray[np.float64]:
        """Return minus the mean squared error with which clean ``X`` comes back, float64 ``[N]``: higher is more normal.

        The images are corrupted as in training, by a function of each image's own pixels: an over-complete code copies
        what is not corrupted, normal or not.
        """
        images = ids_of_pixels(self._seen(X))
        corruption = self._design.objective.corruption

        def errors(batch: Any) -> npt.NDArray[np.float64]:
            noisy, _ = corruption(batch.pixels, Noise(int(self._seed), batch.ids, "score"))
            found = squared_error(self.model_(noisy), batch.pixels)
            return np.asarray(found.numpy())

        return -over(self.model_, images, errors)

    def _chosen(self) -> Design:
        chosen = super()._chosen()
        if chosen.objective.corruption.name == "none":
            raise UserError(
                f"the preset {chosen.preset!r} corrupts nothing, so it learns to undo nothing: "
                "give options={'corruption': 'gaussian:sigma=0.1'} or another"
            )
        return chosen


__all__ = ["DenoisingAutoencoder"]
