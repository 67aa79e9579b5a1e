"""Pages and orders of the gallery; places in the palette."""

from __future__ import annotations

import numpy as np
import pytest

from latentia.app.colours import FIRST, GREY, PALETTE, by_group, by_value
from latentia.app.gallery import Gallery
from latentia.core.errors import UserError


def test_pages_hold_every_image_once() -> None:
    gallery = Gallery(100, size=30)
    assert gallery.pages == 4 and gallery.what == "all images"
    seen: list[int] = []
    for page in range(gallery.pages):
        gallery.turn(page)
        seen += gallery.visible({}).tolist()
    assert seen == list(range(100))
    gallery.turn(99)
    assert gallery.page == 3, "the nearest page that there is"


def test_a_selection_is_sorted_by_what_was_asked() -> None:
    scores = np.array([0.3, 0.9, 0.1, 0.5])
    gallery = Gallery(4)
    gallery.show([3, 1, 2, 7, -1], "selected")
    assert (gallery.count, gallery.what) == (3, "selected"), "rows that do not exist are left out"
    gallery.sort("odd")
    assert gallery.visible({"odd": scores}).tolist() == [1, 3, 2]
    gallery.sort("typical")
    assert gallery.visible({"odd": scores}).tolist() == [2, 3, 1]
    gallery.sort("unsure")
    assert gallery.visible({"odd": scores}).tolist() == [3, 1, 2], "without a classifier the order stays"
    gallery.show([], "nothing")
    assert gallery.count == 4
    with pytest.raises(UserError, match="there is no order called 'up'"):
        gallery.sort("up")


def test_groups_keep_their_colours() -> None:
    names = ["a", "b", "c"]
    first = by_group(np.array([0, 2, -1, 2]), names, "none")
    assert first.places.tolist() == [1, 3, 0, 3]
    assert [(entry["text"], entry["count"]) for entry in first.legend] == [("a", 1), ("c", 2), ("none", 1)]
    assert first.legend[-1]["colour"] == GREY
    assert by_group(np.array([2, 2, 2, 2]), names, "none").places.tolist() == [3] * 4


def test_more_groups_than_colours_leave_the_small_ones_grey() -> None:
    numbers = np.concatenate([np.repeat(np.arange(30), 2), np.repeat(29, 5)])
    found = by_group(numbers, [], "none")
    assert len(found.legend) == 21 and found.legend[-1]["text"] == "none or other"
    assert found.places[-1] > 0 and found.places.max() <= 20
    assert sum(entry["count"] for entry in found.legend) == len(numbers)


def test_values_are_coloured_by_rank_and_nan_is_grey() -> None:
    found = by_value(np.array([1.0, 1e9, 2.0, np.nan]))
    assert found.places.tolist() == [FIRST, FIRST + 255, FIRST + 128, 0]
    assert [entry["text"] for entry in found.legend] == ["1", "2", "1e+09"] and found.scale
    assert by_value(np.full(3, np.nan)).legend == []
    assert len(PALETTE) == FIRST + 256
