"""From stored pixels of any kind to what a screen shows."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from latentia.data.imageset import PixelFormat

CHECKER = 4  # the side of the squares behind transparent pixels


def displayable(pixels: npt.NDArray[Any], pixel_format: PixelFormat) -> npt.NDArray[np.float32]:
    """Return ``[N, C, H, W]`` as grey ``[N, H, W]`` or colour ``[N, H, W, 3]``, 0 to 1.

    Two channels are grey and alpha, four colour and alpha, over a light checker; of five and more the mean is shown as grey.
    Values that are not finite are shown as zero.
    """
    unit = np.clip(np.nan_to_num(pixel_format.to_unit(np.asarray(pixels))), 0.0, 1.0)
    channels = unit.shape[1]
    if channels == 1:
        return unit[:, 0]
    if channels in (2, 4):
        colour, alpha = np.moveaxis(unit[:, :-1], 1, -1), unit[:, -1][..., None]
        over = colour * alpha + _checker(*unit.shape[2:])[None, ..., None] * (1 - alpha)
        return over[..., 0] if channels == 2 else over
    if channels == 3:
        return np.moveaxis(unit, 1, -1)
    return unit.mean(axis=1)


def _checker(height: int, width: int) -> npt.NDArray[np.float32]:
    rows, columns = np.indices((height, width)) // CHECKER
    return np.where((rows + columns) % 2, 0.92, 0.8).astype(np.float32)
