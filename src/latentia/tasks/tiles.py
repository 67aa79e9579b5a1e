"""Large images in overlapping tiles with blended seams, so that memory is bounded by the tile and not by the image."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

TILE = 256  # pixels of a tile's side
BATCH_PIXELS = 1 << 20  # positions that go through the network at once


def tiled(
    function: Callable[[Tensor], Tensor], image: Tensor, tile: int = TILE, overlap: int | None = None, multiple: int = 1
) -> Tensor:
    """Return ``function`` of an image ``[C, H, W]``, applied tile by tile.

    Where tiles overlap, each counts by a weight that falls linearly towards its edge, and the weights are divided out. So a
    function that looks at single pixels gives exactly what it gives for the whole image.

    Args:
        function: from ``[B, C, h, w]`` to ``[B, C, h, w]``.
        image: one image, float32.
        tile: the side of a tile in pixels; an image that is smaller is one tile.
        overlap: pixels that neighbours share; a quarter of the tile by default.
        multiple: tiles begin at multiples of this where they can, so that a network with strides sees one grid.
    """
    shared = tile // 4 if overlap is None else min(overlap, tile - 1)
    height, width = image.shape[-2:]
    rows, columns = (starts(side, tile, shared, multiple) for side in (height, width))
    sides = min(tile, height), min(tile, width)
    weight = ramp(sides[0], shared, image)[:, None] * ramp(sides[1], shared, image)[None, :]
    total, weights = torch.zeros_like(image), torch.zeros_like(image[0])
    places = [(top, left) for top in rows for left in columns]
    together = max(1, BATCH_PIXELS // (sides[0] * sides[1]))
    for start in range(0, len(places), together):
        chosen = places[start : start + together]
        cut = torch.stack([image[:, top : top + sides[0], left : left + sides[1]] for top, left in chosen])
        for (top, left), part in zip(chosen, function(cut), strict=True):
            total[:, top : top + sides[0], left : left + sides[1]] += part * weight
            weights[top : top + sides[0], left : left + sides[1]] += weight
    return total.div_(weights)


def starts(side: int, tile: int, overlap: int, multiple: int = 1) -> list[int]:
    """Return where tiles begin along one side: evenly spread, the last one ending with the image."""
    if side <= tile:
        return [0]
    count = -(-(side - overlap) // (tile - overlap))
    places = [place * (side - tile) // (count - 1) for place in range(count)]
    return [place // multiple * multiple for place in places[:-1]] + [side - tile]


def ramp(side: int, overlap: int, like: Tensor) -> Tensor:
    """Return a tile's weights along one side ``[side]``: 1 in the middle, falling to ``1 / (overlap + 1)`` at the edge."""
    distance = torch.arange(side, device=like.device)
    distance = torch.minimum(distance, distance.flip(0)) + 1
    return (distance / (overlap + 1)).clamp_max(1.0).to(like.dtype)
