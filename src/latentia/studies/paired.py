"""The same images through several models: errors image by image, and a paired test of each model against the best.

The test is over images (a paired t-test) and is about these very models. Whether their settings differ is another question,
for cross-validations: one training may be lucky.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from latentia.core.errors import UserError
from latentia.core.notebook import Printed
from latentia.data.imageset import ImageSet
from latentia.model import Autoencoder
from latentia.studies.statistics import Estimate, estimate, paired_p_value
from latentia.tasks.conformal import holm
from latentia.tasks.reconstruct import reconstruct


@dataclasses.dataclass(frozen=True)
class Paired(Printed):
    """Models on the same images.

    Attributes:
        names: of the models.
        on: which images these are, such as ``validation``.
        images: the images.
        reconstructions: what each model makes of them.
        errors: float64 ``[models, N]``, squared error per pixel, pixels in [0, 1].
        unseen: whether no model was trained on them, as far as their splits tell.
    """

    names: tuple[str, ...]
    on: str
    images: ImageSet
    reconstructions: tuple[ImageSet, ...]
    errors: npt.NDArray[np.float64]
    unseen: bool = True

    @property
    def best(self) -> int:
        """The model of least mean error."""
        return int(self.errors.mean(1).argmin())

    @property
    def means(self) -> list[Estimate]:
        """Each model's error with its interval over images."""
        return [estimate(row.tolist(), 0.0) for row in self.errors]

    @property
    def differences(self) -> list[Estimate]:
        """Each model's error less the best one's, image by image, with the interval of the mean."""
        return [estimate((row - self.errors[self.best]).tolist(), 0.0) for row in self.errors]

    @property
    def p_values(self) -> list[float]:
        """Of a paired t-test of each against the best, two-sided, adjusted for their number (Holm 1979); NaN of the best."""
        best = self.errors[self.best]
        return holm(
            [
                float("nan") if place == self.best else paired_p_value((row - best).tolist(), 0.0)
                for place, row in enumerate(self.errors)
            ]
        )

    def to_json(self) -> dict[str, Any]:
        """Return the figures."""
        return {
            "images": len(self.images),
            "on": self.on,
            "unseen": self.unseen,
            "errors": dict(zip(self.names, (found.mean for found in self.means), strict=True)),
            "p_values": dict(zip(self.names, self.p_values, strict=True)),
        }

    def __str__(self) -> str:
        best = self.names[self.best]
        lines = [f"the same {len(self.images):,} {self.on} images through each model, squared error per pixel:"]
        width = max(map(len, self.names))
        for name, mean, difference, p in zip(self.names, self.means, self.differences, self.p_values, strict=True):
            versus = "" if name == best else f"  {difference.mean:+.3g} to the best, p = {p:.2g} (paired over images)"
            lines.append(f"  {name:<{width}}  {mean.mean:.5g}{versus}")
        if not self.unseen:
            lines.append("  some of the models were trained on these images, so this favours them")
        return "\n".join(lines)


def same_images(
    names: Sequence[str], models: Sequence[Autoencoder], images: ImageSet, on: str, *, unseen: bool = True
) -> Paired:
    """Return what each model makes of ``images``.

    Raises:
        UserError: they do not fit one of the models, or there are no two models.
    """
    if len(models) < 2:
        raise UserError("there is one model only, so nothing to compare it with: name two or more")
    found = [reconstruct(model, images) for model in models]
    return Paired(
        tuple(names),
        on,
        images,
        tuple(each.images for each in found),
        np.stack([each.errors for each in found]),
        unseen,
    )
