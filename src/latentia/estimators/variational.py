"""The variational autoencoder as a scikit-learn transformer, with a density and a prior to draw from."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from latentia.core.errors import UserError
from latentia.estimators._base import BaseAutoencoder
from latentia.estimators._noise_of_pixels import ids_of_pixels
from latentia.presets import Design
from latentia.tasks.density import log_likelihood

SAMPLES = 16  # codes drawn for each image to score it by


class VariationalAutoencoder(BaseAutoencoder):
    """A variational autoencoder (the ``vae`` preset): codes are posterior means, ``sample`` draws from the prior."""

    _preset: ClassVar[str] = "vae"

    def score_samples(self, X: Any) -> npt.NDArray[np.float64]:
        """Return a lower bound of log p(x) of each image, in nats, float64 ``[N]``: higher is more normal.

        The importance-weighted bound of Burda et al. 2016 with 16 codes, drawn by a function of the image's own pixels.
        """
        images = ids_of_pixels(self._seen(X))
        return log_likelihood(self.model_, images, samples=SAMPLES).log_likelihood

    def _chosen(self) -> Design:
        chosen = super()._chosen()
        if not chosen.architecture.bottleneck.stochastic:
            raise UserError(
                f"the preset {chosen.preset!r} has no posterior, so it is no variational autoencoder: "
                "take ConvAutoencoder, or a preset such as beta-vae"
            )
        return chosen


__all__ = ["VariationalAutoencoder"]
