"""Evaluation on one split, with the mean image and PCA at the same latent size beside the model."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from latentia.core.noise import Noise
from latentia.core.notebook import Printed
from latentia.data.imageset import ImageSet, PixelFormat
from latentia.data.stream import ImageStream
from latentia.model import Autoencoder
from latentia.objective import Objective
from latentia.tasks.apply import batches, format_for
from latentia.tasks.reconstruct import reconstruction_errors

PCA_IMAGES = 60_000  # the most training images that PCA is fitted on
BLOCK = 16_384  # images that the baselines are judged on together


@dataclasses.dataclass(frozen=True)
class Evaluation(Printed):
    """Figures of a model on a set of images.

    Attributes:
        source, split, count: the images.
        latent_dim: the number of values in a code.
        figures: the objective's terms and ``mse``, means over the images; ``mse`` is from corrupted inputs where the
            objective corrupts.
        reconstruction_mse: the per-pixel squared error from clean inputs, pixels and reconstructions in [0, 1].
        baselines: the same error of ``"mean image"`` and ``"PCA-k"``, both fitted on training images; PCA's
            reconstructions are not clipped.
        errors: float64 ``[N]``, each image's reconstruction error.
    """

    source: str
    split: str
    count: int
    latent_dim: int
    figures: dict[str, float]
    reconstruction_mse: float
    baselines: dict[str, float]
    errors: npt.NDArray[np.float64]

    def to_json(self) -> dict[str, Any]:
        """Return everything but the single errors."""
        values = dataclasses.asdict(self)
        values.pop("errors")
        return values

    def __str__(self) -> str:
        rows = [("this model", self.reconstruction_mse), *self.baselines.items()]
        width = max(len(name) for name, _ in rows)
        lines = [
            f"{self.source}, {self.split} split, {self.count} images, code of {self.latent_dim} values",
            f"  {'reconstruction of clean images':<{width}}  per-pixel MSE      PSNR",
        ]
        width = max(width, len("reconstruction of clean images"))
        lines += [f"  {name:<{width}}  {mse:13.5f}  {_psnr(mse):6.2f} dB" for name, mse in rows]
        terms = ", ".join(f"{name} {value:.5g}" for name, value in self.figures.items())
        return "\n".join([*lines, f"  the objective's own figures: {terms}"])


def evaluate(
    model: Autoencoder, objective: Objective, images: ImageSet, train: ImageSet, *, seed: int = 0
) -> Evaluation:
    """Return the figures of ``model`` on ``images``; ``train`` is what the baselines are fitted on.

    Raises:
        UserError: model and images do not fit each other.
    """
    sums: dict[str, float] = {}
    model.eval()
    with torch.inference_mode():
        for batch in batches(model, images):
            noise = Noise(seed, batch.ids, "evaluation")
            for name, values in objective.evaluate(model, batch.pixels, None, noise).items():
                sums[name] = sums.get(name, 0.0) + float(values.double().sum())
    errors = reconstruction_errors(model, images)
    return Evaluation(
        source=images.source,
        split=images.split,
        count=len(images),
        latent_dim=model.latent_dim,
        figures={name: total / len(images) for name, total in sums.items()},
        reconstruction_mse=float(errors.mean()),
        baselines=baseline_errors(train, images, format_for(model, images), model.latent_dim),
        errors=errors,
    )


def baseline_errors(train: ImageSet, images: ImageSet, pixel_format: PixelFormat, latent_dim: int) -> dict[str, float]:
    """Return the per-pixel squared error of the mean image and of PCA with ``latent_dim`` components on ``images``."""
    found = baseline_image_errors(train, images, pixel_format, latent_dim)
    return {name: float(errors.mean()) for name, errors in found.items()}


def baseline_image_errors(
    train: ImageSet, images: ImageSet, pixel_format: PixelFormat, latent_dim: int
) -> dict[str, npt.NDArray[np.float64]]:
    """Return the same for each of ``images``, float64 ``[N]``; both are fitted on ``train``."""
    from sklearn.decomposition import PCA

    seen = pixel_format.to_unit(np.asarray(_fitted_on(train))).reshape(-1, pixel_format.pixels)
    mean = seen.mean(0, keepdims=True)
    components = min(latent_dim, *seen.shape)
    pca = PCA(components, svd_solver="auto", random_state=0).fit(seen) if components < seen.shape[1] else None
    found: dict[str, list[npt.NDArray[np.float64]]] = {"mean image": [], **({f"PCA-{components}": []} if pca else {})}
    for start in range(0, len(images), BLOCK):
        fresh = pixel_format.to_unit(np.asarray(images.pixels[start : start + BLOCK])).reshape(-1, seen.shape[1])
        found["mean image"].append(np.square(fresh - mean, dtype=np.float64).mean(1))
        if pca is not None:
            rebuilt = pca.inverse_transform(pca.transform(fresh))
            found[f"PCA-{components}"].append(np.square(fresh - rebuilt, dtype=np.float64).mean(1))
    return {name: np.concatenate(errors) for name, errors in found.items()}


def _fitted_on(train: ImageSet) -> npt.NDArray[Any]:
    return train.pixels[train.spread(PCA_IMAGES)] if isinstance(train, ImageStream) else train.pixels[:PCA_IMAGES]


def _psnr(mse: float) -> float:
    return float(-10.0 * np.log10(max(mse, 1e-12)))
