"""New images above the training images that are nearest to them: a person sees whether they are copies."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from latentia.report.images import displayable
from latentia.report.style import INK, new_figure, show_image, styled, title
from latentia.tasks.judge import Judgement

COLUMNS = 12


def copies_picture(found: Judgement) -> Figure:
    """Return four rows: the new images that are closest to a training image, these, some at random, and theirs."""
    count = min(COLUMNS, len(found.samples))
    closest = np.arange(count)
    anyhow = np.sort(np.random.default_rng(0).permutation(len(found.samples))[:count])
    aspect = min(max(found.samples.format.height / found.samples.format.width, 0.4), 2.5)
    with styled():
        figure = new_figure(count * 0.75 + 1.2, 4 * (0.75 * aspect + 0.17) + 0.75)
        grid = figure.subplots(4, count, squeeze=False)
        rows = [("closest", closest), ("any", anyhow)]
        for row, (word, places) in enumerate(rows):
            pairs = ((found.samples, f"{word} new"), (found.neighbours, "nearest\ntraining"))
            for below, (images, label) in enumerate(pairs):
                pictures = displayable(images.pixels[places], images.format)
                for column, axes in enumerate(grid[2 * row + below]):
                    caption = f"{np.sqrt(found.distances[places[column]]):.3f}" if below else ""
                    show_image(axes, pictures[column], caption)
                grid[2 * row + below][0].set_ylabel(label, rotation=0, ha="right", va="center", fontsize=8, color=INK)
        title(
            figure,
            f"new images of {found.name}, and the training images nearest to them",
            "below: the root mean squared difference of their pixels, in [0, 1]",
        )
    return figure
