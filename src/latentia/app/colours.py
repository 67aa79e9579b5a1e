"""Colours of points: every point holds a place in one fixed palette, so that a change of colours sends numbers alone."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from bokeh.palettes import Inferno256, Viridis256

from latentia.report.map_picture import COLOURS

GREY = "#98a0ad"  # seen on white and on black
_DARK = {"#000000": "#e7298a", "#332288": "#7570b3", "#661100": "#a6761d"}  # would be lost on a dark page
GROUPS = [_DARK.get(colour, colour) for colour in COLOURS]
PALETTE = [GREY, *GROUPS, *Viridis256]
FIRST = 1 + len(GROUPS)  # where the continuous colours begin
HEAT = np.array([[int(colour[place : place + 2], 16) for place in (1, 3, 5)] for colour in Inferno256], dtype=np.uint8)


@dataclasses.dataclass(frozen=True)
class Colouring:
    """Places in the palette, and what they mean.

    Attributes:
        places: float32 ``[N]``, for Bokeh's colour mapper.
        legend: entries ``{"text", "colour", "count"}``, or for a scale ``{"text", "colour"}`` from low to high.
        scale: whether the legend is a scale.
    """

    places: npt.NDArray[np.float32]
    legend: list[dict[str, Any]]
    scale: bool = False


def by_group(numbers: npt.NDArray[np.int64], names: Sequence[str], none: str) -> Colouring:
    """Return a colour for each group, int64 ``[N]``, -1 in none: the 20 largest have their own, all others are grey.

    A group keeps its colour by its number as long as there are no more groups than colours.
    """
    values, counts = np.unique(numbers[numbers >= 0], return_counts=True)
    large = np.sort(values[np.argsort(-counts, kind="stable")][: len(GROUPS)])
    stable = len(values) == 0 or int(values.max()) < len(GROUPS)
    place = {int(value): 1 + (int(value) if stable else order) for order, value in enumerate(large)}
    size = dict(zip(values.tolist(), counts.tolist(), strict=True))
    table = np.zeros(int(numbers.max(initial=-1)) + 2, dtype=np.float32)  # the last stands for -1
    for value, where in place.items():
        table[value] = where
    legend: list[dict[str, Any]] = [
        {"text": names[value] if value < len(names) else str(value), "colour": PALETTE[where], "count": size[value]}
        for value, where in place.items()
    ]
    rest = len(numbers) - sum(size[value] for value in place)
    if rest:
        text = none if len(values) <= len(GROUPS) else f"{none} or other"
        legend.append({"text": text, "colour": GREY, "count": rest})
    return Colouring(table[numbers], legend)


def by_value(values: npt.NDArray[np.float64], form: str = "{:.3g}") -> Colouring:
    """Return a colour for each value by its rank, so that a few strays leave the others their differences."""
    finite = np.isfinite(values)
    order = np.argsort(np.argsort(np.where(finite, values, np.inf), kind="stable"), kind="stable")
    share = order / max(1, int(finite.sum()) - 1)
    places = np.where(finite, FIRST + np.clip(np.rint(share * 255), 0, 255), 0).astype(np.float32)
    known = np.sort(values[finite])
    marks = [known[round(part * (len(known) - 1))] for part in (0.0, 0.5, 1.0)] if len(known) else []
    colours = (Viridis256[0], Viridis256[127], Viridis256[255])
    return Colouring(
        places,
        [{"text": form.format(mark), "colour": colour} for mark, colour in zip(marks, colours, strict=False)],
        True,
    )


def plain(count: int) -> Colouring:
    """Return one colour for all."""
    return Colouring(np.ones(count, dtype=np.float32), [])
