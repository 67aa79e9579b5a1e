"""The autoencoder that another estimator stands on: one that was trained before, or one trained now on its images."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, clone

from latentia.core.errors import UserError
from latentia.data.imageset import ImageSet
from latentia.estimators.autoencoder import ConvAutoencoder
from latentia.model import Autoencoder
from latentia.training.storage import load_model


def autoencoder_of(pretrained: Any, images: ImageSet, parameters: dict[str, Any]) -> Autoencoder:
    """Return the autoencoder that ``pretrained`` holds, or a :class:`ConvAutoencoder` of ``parameters`` fitted to ``images``.

    Raises:
        UserError: ``pretrained`` is neither a run, a run's path nor a fitted autoencoder.
    """
    if pretrained is None:
        rows = np.asarray(images.pixels).reshape(len(images), -1)
        return ConvAutoencoder(**{"image_shape": images.pixels.shape[1:], **parameters}).fit(rows).model_
    if isinstance(pretrained, str | os.PathLike):
        return load_model(Path(pretrained))
    # a fitted estimator keeps its module in ``model_``, a run in ``model``
    model = getattr(pretrained, "model_", None) or getattr(pretrained, "model", pretrained)
    if not isinstance(model, Autoencoder):
        raise UserError(
            f"pretrained is a {type(pretrained).__name__}, but it must be a run, a run's path or a fitted ConvAutoencoder"
        )
    return model


class OnPretrained(BaseEstimator):  # type: ignore[misc]
    """Estimators of images that stand on the autoencoder in their parameter ``pretrained``."""

    pretrained: Any
    pretraining: dict[str, Any] | None
    device: str
    random_state: int | None
    verbose: bool

    def _seed(self) -> int:
        """Return ``random_state``, or a seed that is drawn where it is ``None``."""
        return int(np.random.default_rng().integers(2**32)) if self.random_state is None else int(self.random_state)

    def _autoencoder(self, images: ImageSet, seed: int) -> Autoencoder:
        """Return the autoencoder to stand on; see :func:`autoencoder_of`."""
        parameters = {"device": self.device, "random_state": seed, "verbose": self.verbose, **(self.pretraining or {})}
        return autoencoder_of(self.pretrained, images, parameters)

    def __sklearn_clone__(self) -> Self:
        # a clone stands on the same pre-trained autoencoder: a clone of that one would have learned nothing
        parameters = {key: clone(value, safe=False) for key, value in self.get_params(deep=False).items()}
        return type(self)(**{**parameters, "pretrained": self.pretrained})

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        return tags
