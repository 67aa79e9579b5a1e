"""Restored images beside clean ones and beside what classical methods make of them, part by part."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from latentia.core.errors import UserError
from latentia.data.imageset import ImageSet
from latentia.data.own_size import at_own_size
from latentia.model import Autoencoder
from latentia.tasks.apply import format_for
from latentia.tasks.classical import classical_answers
from latentia.tasks.quality import Quality, has_skimage, joined, need_skimage, quality


def need_partners(noisy: ImageSet, others: ImageSet, kind: str) -> None:
    """Raise a :class:`UserError` where an image of ``noisy`` has no partner of its name (or, without names, its place)."""
    missing = [name for name in noisy.names if name not in set(others.names)]
    if missing:
        raise UserError(
            f"{missing[0]!r} of {noisy.source} has no {kind} image of the same name in {others.source}: "
            "give the same names (or arrays in the same order)"
        )


class Comparison:
    """Gathers figures while parts of images are restored.

    Args:
        model: decides how pixels are read.
        clean: clean images by the names of the noisy ones; without them nothing is gathered.
        mask: not black where pixels are lost.
        classical: restore by classical methods, too.

    Raises:
        UserError: ``classical`` without scikit-image.
    """

    def __init__(
        self,
        model: Autoencoder,
        *,
        clean: ImageSet | None = None,
        mask: ImageSet | None = None,
        classical: bool = False,
    ) -> None:
        self.model, self.clean, self.mask, self.classical = model, clean, mask, classical
        self._parts: list[Quality] = []
        if classical:
            need_skimage("--classical")

    def add(self, noisy: ImageSet, restored: ImageSet) -> None:
        """Compare one part: noisy and restored images of one size."""
        if self.clean is None:
            return
        clean = _unit(self.model, _partners(self.clean, noisy))
        ways = {"as given": _unit(self.model, noisy), "this model": _unit(self.model, restored)}
        notes = [] if has_skimage() else ["SSIM needs scikit-image: pip install 'latentia[classical]'"]
        if self.classical:
            lost = _partners(self.mask, noisy).pixels > 0 if self.mask is not None else None
            lost = np.broadcast_to(lost, noisy.pixels.shape) if lost is not None else None
            ways |= classical_answers(ways["as given"], clean, lost)
            notes.append(
                "classical strengths were chosen on up to 16 of these clean images; the model has not seen them"
            )
            if lost is not None:
                notes.append("biharmonic filling is told which pixels are lost; the others are not")
        self._parts.append(quality(clean, ways, notes))

    def result(self) -> Quality | None:
        """Return the figures of all parts, or ``None`` where there are no clean images."""
        return joined(self._parts) if self._parts else None


def _unit(model: Autoencoder, images: ImageSet) -> npt.NDArray[np.float32]:
    return format_for(model, images).to_unit(np.asarray(images.pixels))


def _partners(images: ImageSet, noisy: ImageSet) -> ImageSet:
    """Return those of ``images`` that have the names of ``noisy``, in its order and at its size."""
    place = {name: index for index, name in enumerate(images.names)}
    found = images.select([place[name] for name in noisy.names])
    size = noisy.pixels.shape[2:]
    if found.pixels.shape[2:] != size:
        parts = list(at_own_size(found))
        if len(parts) != 1 or parts[0].pixels.shape[2:] != size:
            raise UserError(
                f"{found.names[0]!r} of {images.source} has another size than its noisy partner ({size[0]}x{size[1]}): "
                "give images of equal sizes"
            )
        found = parts[0]
    if found.pixels.shape[1] not in (1, noisy.pixels.shape[1]):
        raise UserError(f"{images.source} has {found.pixels.shape[1]} channels, but the noisy images do not")
    return found
