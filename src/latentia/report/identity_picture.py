"""What networks make of things they were not trained on, row by row: the picture beside the identity score."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from latentia.data.imageset import ImageSet
from latentia.report.reconstructions import image_rows


def identity_picture(
    probes: Mapping[str, ImageSet], answers: Mapping[str, Mapping[str, npt.NDArray[np.floating]]], subtitle: str = ""
) -> Figure:
    """Return what each network answers to each probe, below the probe itself.

    Args:
        probes: ``{probe: images}``, equally many of each; they stand side by side.
        answers: ``{network: {probe: pixels [N, C, H, W]}}``, of the probes' dtype and range.
        subtitle: such as the networks' scores.
    """
    rows = [_side_by_side(list(probes.values()), [images.pixels for images in probes.values()])]
    for answer in answers.values():
        rows.append(_side_by_side(list(probes.values()), [answer[name] for name in probes]))
    counts = [len(images) for images in probes.values()]
    captions = [
        name if column == 0 else "" for name, count in zip(probes, counts, strict=True) for column in range(count)
    ]
    return image_rows(
        rows,
        ["shown", *answers],
        captions=captions,
        heading=f"what comes out when something else goes in: {', '.join(probes)}",
        subtitle=subtitle,
    )


def _side_by_side(images: Sequence[ImageSet], pixels: Sequence[npt.NDArray[np.floating]]) -> ImageSet:
    joined = np.concatenate(list(pixels))
    count = len(joined)
    first = images[0]
    return ImageSet(
        joined, [str(index) for index in range(count)], np.arange(count, dtype=np.int64), source=first.source
    )
