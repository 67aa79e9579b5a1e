"""The map as something to point at: Bokeh, in the page itself, with a thumbnail for each image. Needs the extra ``report``."""

from __future__ import annotations

import functools
import importlib.util
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from markupsafe import Markup
from PIL import Image

from latentia.data.thumbnails import data_address
from latentia.report.images import displayable
from latentia.tasks.map_codes import Map

THUMB = 28  # pixels of a thumbnail's longer side
SHOWN = 84  # CSS pixels of it when pointed at
HEIGHT = 560


def has_bokeh() -> bool:
    """Return whether Bokeh is there."""
    return importlib.util.find_spec("bokeh") is not None


@functools.cache
def bokeh_script() -> str:
    """Return BokehJS, as it comes with Bokeh."""
    import bokeh

    file = Path(bokeh.__file__).parent / "server" / "static" / "js" / "bokeh.min.js"
    # in a script's strings "<\\/" is "</", and in a page only "</" could end the script
    return file.read_text(encoding="utf-8").replace("</", "<\\/")


def plot_json(found: Map, colours: Sequence[str], labels: Sequence[str], target: Any) -> str:
    """Return the plot as JSON for ``Bokeh.embed.embed_item``.

    Args:
        found: the map.
        colours: of each point.
        labels: the class of each, empty where it has none.
        target: the element's name.
    """
    from bokeh.embed import json_item
    from bokeh.models import ColumnDataSource, HoverTool, WheelZoomTool
    from bokeh.plotting import figure

    places = _places(len(labels))
    data = {
        "x": found.positions[:, 0],
        "y": found.positions[:, 1],
        "colour": list(colours),
        "name": list(found.images.names),
        "label": [f" · {label}" if label else "" for label in labels],
        "picture": [f'<i class="t" style="--c:{column};--r:{row}"></i>' for row, column in places],
    }
    plot = figure(
        height=HEIGHT,
        sizing_mode="stretch_width",
        tools="pan,box_zoom,reset",
        match_aspect=False,
        background_fill_color=None,
        border_fill_color=None,
        outline_line_color=None,
        output_backend="canvas",
    )
    plot.add_tools(WheelZoomTool(modifiers="ctrl"))
    points: Any = plot.scatter(
        "x", "y", source=ColumnDataSource(data), size=7, color="colour", alpha=0.75, line_color=None, hover_alpha=1.0
    )
    template = f"<div><style>{_style(found)}</style>@{{picture}}{{safe}}<div>@{{name}}@{{label}}</div></div>"
    plot.add_tools(HoverTool(tooltips=template, renderers=[points], limit=1, attachment="horizontal"))
    plot.axis.visible = False
    plot.grid.visible = False
    plot.toolbar.logo = None
    plot.toolbar.autohide = True
    return json.dumps(json_item(plot, target)).replace("<", "\\u003c")


def sheet(found: Map) -> str:
    """Return the ``data:`` address of all thumbnails in one picture, in rows."""
    height, width = _thumb(found)
    thumbs = [_small(each, height, width) for each in displayable(found.images.pixels, found.images.format)]
    places = _places(len(thumbs))
    rows, columns = (max(place[axis] for place in places) + 1 for axis in (0, 1))
    colour = thumbs[0].ndim == 3
    whole = np.zeros((rows * height, columns * width, *([3] if colour else [])), dtype=np.uint8)
    for (row, column), each in zip(places, thumbs, strict=True):
        whole[row * height : (row + 1) * height, column * width : (column + 1) * width] = each
    return data_address(Image.fromarray(whole), exact=not colour)


def _places(count: int) -> list[tuple[int, int]]:
    columns = max(1, math.ceil(math.sqrt(count)))
    return [divmod(index, columns) for index in range(count)]


def _style(found: Map) -> str:
    height, width = _thumb(found)
    zoom = SHOWN / max(height, width)
    places = _places(len(found.images))
    rows, columns = (max(place[axis] for place in places) + 1 for axis in (0, 1))
    shown_h, shown_w = height * zoom, width * zoom
    return (
        ":host{background:var(--card);color:var(--ink);border-color:var(--line);font:0.8rem var(--font)}"
        f".t{{display:block;width:{shown_w:.1f}px;height:{shown_h:.1f}px;image-rendering:pixelated;background:var(--sheet) "
        f"calc(var(--c)*-{shown_w:.1f}px) calc(var(--r)*-{shown_h:.1f}px)/{columns * shown_w:.1f}px {rows * shown_h:.1f}px}}"
    )


def _thumb(found: Map) -> tuple[int, int]:
    height, width = found.images.format.height, found.images.format.width
    scale = min(1.0, THUMB / max(height, width))
    return max(1, round(height * scale)), max(1, round(width * scale))


def _small(unit: npt.NDArray[np.floating[Any]], height: int, width: int) -> npt.NDArray[np.uint8]:
    image = Image.fromarray(np.rint(unit * 255).astype(np.uint8))
    return np.asarray(image if image.size == (width, height) else image.resize((width, height), Image.Resampling.BOX))


def inert(text: str, kind: str, name: str) -> Markup:
    """Return text that holds no ``</`` as a script that does not run: the page's own script reads it, or runs it later."""
    return Markup('<script type="{}" id="{}">{}</script>').format(kind, name, Markup(text))
