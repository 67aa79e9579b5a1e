"""Images at their own sizes: for tasks whose model takes any."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from latentia.core.errors import UserError
from latentia.data.decode import decode
from latentia.data.imageset import ImageSet
from latentia.data.looking import LAYOUTS

MOST_PIXELS = 1 << 26  # values of one part that stand in memory at once


def at_own_size(images: ImageSet) -> Iterator[ImageSet]:
    """Yield the images in parts of one size each, decoded anew where they had been brought to a common size.

    Images that have their own size already are yielded as they are, in one part.

    Raises:
        UserError: a file can no longer be read.
    """
    geometry = images.geometry
    if geometry is None or images.root is None or all(each.policy == "none" for each in geometry):
        yield images
        return
    kind = (images.pixels.shape[1], images.pixels.dtype == np.uint16, images.pixels.dtype == np.float32)
    layout = next(name for name, known in LAYOUTS.items() if known == kind)
    sizes = [(each.height, each.width) for each in geometry]
    for size in sorted(set(sizes)):
        same = [index for index, other in enumerate(sizes) if other == size]
        together = max(1, MOST_PIXELS // (kind[0] * size[0] * size[1]))
        for start in range(0, len(same), together):
            part = images.select(same[start : start + together])
            own = tuple(dataclasses.replace(each, policy="none") for each in part.geometry or ())
            try:
                pixels = np.stack([decode(str(Path(images.root) / name), layout, None, "none") for name in part.names])
            except OSError as error:
                raise UserError(f"an image of {images.root} can no longer be read: {error}") from None
            yield dataclasses.replace(part, pixels=pixels, geometry=own)
