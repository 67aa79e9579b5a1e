"""The gallery: which images are shown, in which order, a page at a time."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from latentia.core.errors import unknown

PAGE = 48
ORDERS = ("data", "odd", "typical", "unsure")


@dataclasses.dataclass
class Gallery:
    """A selection of images, turned page by page.

    Attributes:
        total: how many images there are.
        rows: the selected images; all of them where there is no selection.
        what: what the selection is, in words.
        order: ``data`` (as they come), ``odd`` (greatest score first), ``typical`` (least score first) or ``unsure``.
        page: from 0.
        size: images on a page.
    """

    total: int
    rows: npt.NDArray[np.int64] | None = None
    what: str = ""
    order: str = "data"
    page: int = 0
    size: int = PAGE

    def __post_init__(self) -> None:
        self.show(self.rows, self.what)

    @property
    def count(self) -> int:
        """How many images are in it."""
        return self.total if self.rows is None else len(self.rows)

    @property
    def pages(self) -> int:
        """How many pages it has, at least one."""
        return max(1, -(-self.count // self.size))

    def show(self, rows: npt.ArrayLike | None, what: str = "") -> None:
        """Show other images, from the first page; ``None`` or none at all is all of them. Rows that do not exist are left out."""
        chosen = None if rows is None else np.asarray(rows, dtype=np.int64).reshape(-1)
        if chosen is not None:
            chosen = chosen[(chosen >= 0) & (chosen < self.total)]
        self.rows = chosen if chosen is not None and len(chosen) else None
        self.what = what if self.rows is not None else "all images"
        self.page = 0

    def turn(self, page: int) -> None:
        """Go to a page, the nearest that there is."""
        self.page = min(max(int(page), 0), self.pages - 1)

    def sort(self, order: str) -> None:
        """Choose the order, and go to the first page."""
        if order not in ORDERS:
            raise unknown("order", order, ORDERS)
        self.order, self.page = order, 0

    def visible(self, values: Mapping[str, npt.NDArray[np.float64]]) -> npt.NDArray[np.int64]:
        """Return the images of this page; ``values`` are the scores (``odd``) and how unsure an answer is (``unsure``)."""
        rows = np.arange(self.total) if self.rows is None else self.rows
        by = {"odd": ("odd", -1.0), "typical": ("odd", 1.0), "unsure": ("unsure", -1.0)}.get(self.order)
        if by is not None and by[0] in values:
            rows = rows[np.argsort(by[1] * values[by[0]][rows], kind="stable")]
        return np.asarray(rows[self.page * self.size : (self.page + 1) * self.size], dtype=np.int64)
