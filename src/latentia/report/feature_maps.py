"""Feature maps: what each layer answers to one image."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from latentia.data.imageset import ImageSet
from latentia.report.images import displayable
from latentia.report.style import frame, new_figure, show_image, styled, title


def feature_maps(
    images: ImageSet, maps: Mapping[str, npt.NDArray[np.float32]], index: int = 0, channels: int = 10, layers: int = 5
) -> Figure:
    """Return one image and, for up to ``layers`` layers, the ``channels`` that vary most over it.

    Args:
        images: the set that the image is of.
        maps: ``{layer: [channels, h, w]}``.
        index: which image.
        channels, layers: how many are shown at most.
    """
    names = list(maps)
    if len(names) > layers:
        names = [names[round(position)] for position in np.linspace(0, len(names) - 1, layers)]
    with styled():
        figure = new_figure((channels + 1.4) * 0.85, max(len(names), 1) * 0.95 + 0.6)
        grid = figure.add_gridspec(
            max(len(names), 1), channels + 1, wspace=0.03, hspace=0.05, width_ratios=[1.4] + [1] * channels
        )
        picture = displayable(images.pixels[index : index + 1], images.format)[0]
        show_image(figure.add_subplot(grid[:, 0]), picture, images.names[index])
        for row, name in enumerate(names):
            found = np.nan_to_num(maps[name])
            strongest = np.argsort(-found.std(axis=(1, 2)), kind="stable")[:channels]
            for column, channel in enumerate(strongest):
                axes = figure.add_subplot(grid[row, column + 1])
                span = float(np.abs(found[channel]).max()) or 1.0
                axes.imshow(found[channel], cmap="RdBu_r", vmin=-span, vmax=span, interpolation="nearest")
                frame(axes)
                if column == 0:
                    axes.set_title(
                        f"layer {name}: {len(found)} maps of {found.shape[1]} x {found.shape[2]}",
                        fontsize=7.5,
                        loc="left",
                    )
        title(
            figure, "what the encoder's convolutions answer to one image", "the channels that vary most; red above zero"
        )
    return figure
