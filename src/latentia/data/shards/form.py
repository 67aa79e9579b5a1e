"""The form that the images of a stream are brought to, chosen by the few of them that are looked at first."""

from __future__ import annotations

import numpy as np

from latentia.core.errors import UserError
from latentia.data.decode import common_layout, common_size
from latentia.data.imageset import range_of
from latentia.data.looking import LAYOUTS, dtype_of
from latentia.data.shards.images import AS_ARRAYS, Form, Unfit, form_of, pixels_of
from latentia.data.source import ReadOptions


def evenly(count: int, most: int) -> list[int]:
    """Return at most ``most`` of ``count`` places, evenly spaced."""
    return sorted({int(place) for place in np.linspace(0, count - 1, min(count, most))})


def common_form(
    seen: list[tuple[str, bytes]], source: str, options: ReadOptions
) -> tuple[Form, float, float, tuple[str, ...]]:
    """Return the form for images of which some were ``seen``, the values that stand for 0 and 1, and notes.

    Args:
        seen: what to call an image in a message, and its bytes.
        source: what to call all of them.
        options: how they are to be read.

    Raises:
        UserError: none of them is an image, or they do not fit together.
    """
    forms, floats, problem = [], [], ""
    for name, content in seen:
        try:
            found = form_of(content)
            if found[2] == "float32":
                pixels = pixels_of(content, Form(*found))
                floats += [float(pixels.min()), float(pixels.max())]
            forms.append(found)
        except Unfit as reason:  # told when it is read, for packing passes over it
            problem = problem or f"{name} {reason}"
    if not forms:
        raise UserError(f"{source} holds no image among those looked at first: {problem}")
    layouts = {layout for layout, _, _ in forms}
    dtypes = {dtype for _, _, dtype in forms}
    if AS_ARRAYS in layouts and (len(layouts) > 1 or len(dtypes) > 1 or len({shape[0] for _, shape, _ in forms}) > 1):
        raise UserError(
            f"the images in {source} are of several kinds ({', '.join(sorted(layouts | dtypes))}): pack those of one kind"
        )
    layout = AS_ARRAYS if AS_ARRAYS in layouts else common_layout(layouts)
    channels, dtype = forms[0][1][0], forms[0][2]
    if layout != AS_ARRAYS:
        channels, dtype = LAYOUTS[layout][0], dtype_of(layout)
    if dtype not in ("uint8", "uint16", "float32"):
        raise UserError(f"the images in {source} are {dtype}, but pixels are uint8, uint16 or float32")
    size, policy, notes = _common_size([(shape[1], shape[2]) for _, shape, _ in forms], options)
    low, high = range_of(dtype, min(floats), max(floats)) if floats else range_of(dtype)
    return Form(layout, (channels, *size), dtype, policy), low, high, notes


def _common_size(sizes: list[tuple[int, int]], options: ReadOptions) -> tuple[tuple[int, int], str, tuple[str, ...]]:
    policy = "resize" if options.policy == "auto" else options.policy
    if options.size is not None:
        return options.size, policy, ()
    if len(set(sizes)) == 1:
        return sizes[0], "none", ()
    size, what = common_size(sizes, policy)
    return size, policy, (f"the images have several sizes and are {what} (choose with --size and --policy)",)
