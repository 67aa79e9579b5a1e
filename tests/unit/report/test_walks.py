from __future__ import annotations

import numpy as np
import pytest

from latentia.data.imageset import PixelFormat, from_array
from latentia.report.identity_picture import identity_picture
from latentia.report.walks import interpolation_strips, traversals
from latentia.tasks.walk import Walk


def some_walk(rows: int, steps: int, channels: int = 1) -> tuple[Walk, PixelFormat]:
    pixels = np.arange(rows * steps * channels * 30).reshape(rows, steps, channels, 6, 5) % 256
    positions = np.tile(np.linspace(-1, 1, steps), (rows, 1))
    walk = Walk(pixels.astype(np.uint8), positions, tuple(f"unit {row}" for row in range(rows)))
    return walk, PixelFormat(channels, 6, 5, "uint8", 0, 255)


@pytest.mark.parametrize("channels", [1, 3, 5])
@pytest.mark.parametrize(("rows", "steps"), [(1, 2), (3, 4)])
def test_each_step_has_its_picture(rows: int, steps: int, channels: int) -> None:
    walk, pixel_format = some_walk(rows, steps, channels)
    strips, units = interpolation_strips(walk, pixel_format, "x"), traversals(walk, pixel_format, "x")
    for figure in (strips, units):
        assert len([axes for axes in figure.axes if axes.images]) == rows * steps
    assert [axes.get_ylabel() for axes in units.axes][::steps] == list(walk.labels)
    assert all(axes.get_xlabel() for axes in units.axes)
    assert sum(bool(axes.get_xlabel()) for axes in strips.axes) == steps


def test_probes_and_answers_stand_over_one_another() -> None:
    probes = {name: from_array(np.full((2, 6, 5), value, dtype=np.uint8)) for name, value in (("a", 0), ("b", 255))}
    answers = {"cae": {name: images.pixels for name, images in probes.items()}}
    figure = identity_picture(probes, answers)
    axes = figure.axes[0]
    assert [text.get_text() for text in axes.texts] == ["shown", "a", "b", "cae"]
    assert [float(image.get_array().max()) for image in axes.images[4:]] == [0, 0, 1, 1]
    assert [text.get_position()[0] for text in axes.texts[1:3]] == [
        pytest.approx(sum(axes.images[place].get_extent()[:2]) / 2) for place in (4, 6)
    ]
