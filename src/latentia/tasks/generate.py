"""Generation: new images from the prior, or from a density fitted to the codes of a deterministic autoencoder."""

from __future__ import annotations

import dataclasses

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from latentia.core.errors import UserError
from latentia.core.noise import Noise
from latentia.core.notebook import Printed
from latentia.data.imageset import ImageSet
from latentia.data.thumbnails import sheet
from latentia.model import Autoencoder
from latentia.objective import Objective
from latentia.tasks._evaluating import evaluating
from latentia.tasks.apply import BATCH, to_pixels
from latentia.tasks.mixture import FittedMixture


@dataclasses.dataclass(frozen=True)
class Generated(Printed):
    """New images and the codes they were decoded from.

    Attributes:
        images: of the model's shape, dtype and range.
        codes: float32 ``[N, D]``, spatial codes flattened.
        origin: ``prior`` or ``mixture``.
    """

    images: ImageSet
    codes: npt.NDArray[np.float32]
    origin: str

    def __str__(self) -> str:
        return f"{len(self.images)} images generated from the {self.origin}"

    def _pictures_html(self) -> str:
        return sheet([self.images])


def has_prior(model: Autoencoder, objective: Objective | None = None) -> bool:
    """Return whether the prior is where the codes are: there is a posterior, or a penalty has matched them."""
    matched = objective is not None and any(penalty.matches_prior for penalty in objective.penalties)
    return model.architecture.bottleneck.stochastic or matched


def generate(
    model: Autoencoder,
    count: int = 64,
    *,
    seed: int = 0,
    mixture: FittedMixture | None = None,
    objective: Objective | None = None,
) -> Generated:
    """Return ``count`` new images; image ``i`` depends on ``seed`` and ``i`` alone, not on ``count``.

    Args:
        model: any autoencoder.
        count: how many.
        seed: addresses the noise.
        mixture: what to draw codes from instead of the prior; a deterministic autoencoder needs one (``fit_mixture``).
        objective: what the model was trained for, where known: some penalties let a deterministic one use its prior.

    Raises:
        UserError: a count below 1; a deterministic model without a mixture; a mixture of other codes.
    """
    if count < 1:
        raise UserError(f"count is {count}, but at least 1 image must be asked for")
    if mixture is None and not has_prior(model, objective):
        raise UserError(
            f"the bottleneck {model.architecture.bottleneck.name!r} has no prior to draw from: "
            "give training images, to whose codes a mixture is fitted"
        )
    if mixture is not None and mixture.means.shape[1] != model.latent_dim:
        raise UserError(
            f"the mixture is one of codes of {mixture.means.shape[1]} values, but the model's have {model.latent_dim}: "
            "fit it to codes of this model"
        )
    device = next(model.parameters()).device
    pixels, codes = [], []
    with evaluating(model):
        for start in range(0, count, BATCH):
            ids = torch.arange(start, min(start + BATCH, count), device=device)
            z = _draw(model, Noise(seed, ids, "sample"), mixture)
            pixels.append(to_pixels(model.decode(z), model.format))
            codes.append(z.flatten(1).float().cpu().numpy())
    width = max(6, len(str(count)))
    images = ImageSet(
        pixels=np.concatenate(pixels),
        names=[f"{index:0{width}d}" for index in range(count)],
        ids=np.arange(count, dtype=np.int64),
        source="generated",
    )
    return Generated(images, np.concatenate(codes), "prior" if mixture is None else "mixture")


def _draw(model: Autoencoder, noise: Noise, mixture: FittedMixture | None) -> Tensor:
    z = model.prior.sample(noise, model) if mixture is None else mixture.sample(noise)
    return model.bottleneck.nearest(z.view(-1, *model.code_shape))
