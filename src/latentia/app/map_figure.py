"""The map as a Bokeh figure: every image a point, drawn by WebGL, with lasso, box, zoom and thumbnails on hover."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from bokeh.models import (
    BoxSelectTool,
    ColumnDataSource,
    HoverTool,
    LassoSelectTool,
    LinearColorMapper,
    PanTool,
    Range1d,
    ResetTool,
    Scatter,
    TapTool,
    WheelZoomTool,
)
from bokeh.plotting import figure

from latentia.app.colours import PALETTE

# what a person reads of an image is text: Bokeh escapes a column's value unless its format is {safe}
TOOLTIP = """
<div style="display:flex;gap:10px;align-items:center;max-width:300px">
  <img src="picture/image/$index.png?k={key}" alt="" width="84"
       style="image-rendering:{rendering};border-radius:3px;background:#0001">
  <span style="font:13px/1.35 system-ui,sans-serif;overflow-wrap:anywhere">@name</span>
</div>
"""
MARGIN = 0.04


class MapFigure:
    """The figure and what on it can change.

    Args:
        names: of the images.
        key: of the pictures' addresses, so that a browser does not show those of another run.
        crisp: whether thumbnails show their pixels, as small images should.
    """

    def __init__(self, names: Sequence[str], key: str, *, crisp: bool) -> None:
        count = len(names)
        zeros = np.zeros(count, dtype=np.float32)
        self.points = ColumnDataSource({"x": zeros, "y": zeros, "colour": zeros, "name": list(names)})
        self._marks: dict[str, ColumnDataSource] = {}
        self._x, self._y = Range1d(start=0, end=1), Range1d(start=0, end=1)
        size = float(np.clip(260 / max(1, count) ** 0.5, 3.0, 14.0))
        mapper = LinearColorMapper(palette=PALETTE, low=-0.5, high=len(PALETTE) - 0.5)
        tools: dict[str, Any] = {
            "pan": PanTool(),
            "lasso": LassoSelectTool(continuous=False),
            "box": BoxSelectTool(continuous=False),
        }
        wheel = WheelZoomTool()
        self.figure = figure(
            name="map",
            x_range=self._x,
            y_range=self._y,
            tools=[*tools.values(), wheel, TapTool(), ResetTool()],
            active_drag=tools["lasso"],
            active_scroll=wheel,
            toolbar_location=None,
            output_backend="webgl",
            sizing_mode="stretch_both",
            min_border=0,
            background_fill_alpha=0.0,
            border_fill_alpha=0.0,
            outline_line_alpha=0.0,
        )
        self.figure.axis.visible = False
        self.figure.grid.visible = False
        colour: Any = {"field": "colour", "transform": mapper}
        alpha = 0.85 if count < 10_000 else 0.6
        points = self.figure.add_glyph(
            self.points,
            Scatter(x="x", y="y", size=size, fill_color=colour, line_color=None, fill_alpha=alpha),
            selection_glyph=Scatter(x="x", y="y", size=size + 1, fill_color=colour, line_color=None, fill_alpha=1.0),
            nonselection_glyph=Scatter(x="x", y="y", size=size, fill_color=colour, line_color=None, fill_alpha=0.18),
        )
        for what, marker in (("tried", "star"), ("walk", "circle_x"), ("next", "circle")):
            self._add_mark(what, marker, size)
        tip = TOOLTIP.replace("{key}", key).replace("{rendering}", "pixelated" if crisp else "auto")
        self.figure.add_tools(HoverTool(renderers=[points], tooltips=tip, limit=1))
        for name, tool in tools.items():
            tool.name = name

    def _add_mark(self, what: str, marker: str, size: float) -> None:
        source = ColumnDataSource({"x": [], "y": []}, name=f"marks-{what}")
        ring = what == "next"
        self.figure.add_glyph(
            source,
            Scatter(
                x="x",
                y="y",
                marker=marker,
                size=size + (7 if ring else 14),
                fill_color=None if ring else "#ffd33d",
                line_color="#e11d74" if ring else "#20242c",
                line_width=2 if ring else 1.5,
            ),
        )
        self._marks[what] = source

    def place(self, positions: npt.NDArray[np.float32]) -> None:
        """Put the points to ``positions [N, 2]`` and show all of them; marks are taken away."""
        self.points.data.update({"x": positions[:, 0], "y": positions[:, 1]})
        low, high = positions.min(axis=0), positions.max(axis=0)
        span = np.maximum(high - low, 1e-6)
        for axis, spread in enumerate((self._x, self._y)):
            start, end = float(low[axis] - MARGIN * span[axis]), float(high[axis] + MARGIN * span[axis])
            spread.update(start=start, end=end, reset_start=start, reset_end=end)
        for what in self._marks:
            self.mark(what, np.empty((0, 2)))

    def colour(self, places: npt.NDArray[np.float32]) -> None:
        """Colour the points by places in the palette."""
        self.points.data["colour"] = places

    def mark(self, what: str, positions: npt.ArrayLike) -> None:
        """Mark places ``[M, 2]`` as ``tried``, ``walk`` or ``next``."""
        chosen = np.asarray(positions, dtype=np.float64).reshape(-1, 2)
        self._marks[what].data = {"x": chosen[:, 0], "y": chosen[:, 1]}

    def select(self, rows: npt.NDArray[np.int64] | None) -> None:
        """Show rows as selected; ``None`` for none."""
        self.points.selected.indices = [] if rows is None else rows.tolist()
