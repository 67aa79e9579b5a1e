"""The mixture over a run's codes, kept beside its model: fitted once, used for as long as the model stays the same."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from latentia.core.errors import UserError
from latentia.data.imageset import ImageSet
from latentia.model import Autoencoder
from latentia.tasks.embed import embed
from latentia.tasks.mixture import FittedMixture, fit_mixture
from latentia.training.storage import load_tensors, model_digest, save_tensors

FILE = "mixture.safetensors"
MOST = 10_000  # training images whose codes the mixture is fitted to: more cost minutes and change little
COMPONENTS = 10


def mixture_of_run(
    folder: Path, model: Autoencoder, training_images: Callable[[], ImageSet], *, refit: bool = False
) -> FittedMixture:
    """Return the mixture kept in ``folder``; fit and keep one where there is none, or where the model has changed.

    Args:
        folder: the run's folder, with its ``model.safetensors``.
        model: the run's model.
        training_images: called where codes are needed; at most 10,000 of the images are used, evenly spaced.
        refit: fit anew, to other images.

    Raises:
        UserError: model and images do not fit each other, or there are fewer than two images.
    """
    path, owner = folder / FILE, model_digest(folder)
    if path.is_file() and not refit:
        kept = _kept(path, owner)
        if kept is not None:
            return kept
    images = training_images()
    chosen = images.select(np.linspace(0, len(images) - 1, min(len(images), MOST)).astype(np.int64))
    mixture = fit_mixture(embed(model, chosen), COMPONENTS)
    tensors = {"weights": mixture.weights, "means": mixture.means, "factors": mixture.factors}
    save_tensors(path, tensors, {"model": owner, "source": images.source, "count": len(chosen)})
    return mixture


def _kept(path: Path, owner: str) -> FittedMixture | None:
    try:
        _, about = load_tensors(path)
        return FittedMixture.load(path) if about.get("model") == owner else None
    except UserError:  # damaged or foreign: it can always be made again
        return None
