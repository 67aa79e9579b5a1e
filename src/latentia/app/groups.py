"""Clusters that a person corrects: names, merging and splitting, kept in a CSV file and undoable."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from latentia.app.labels import clean
from latentia.core.atomic import write_bytes
from latentia.core.errors import UserError
from latentia.tasks.clusters import csv_bytes

COLUMNS = ("name", "cluster", "cluster_name")
REMEMBERED = 50
Numbers = npt.NDArray[np.int64]


class GroupBook:
    """Which cluster each image is in, and what clusters are called.

    Args:
        path: the file; what it holds is read.
        names: of the images.

    Raises:
        UserError: the file is damaged.
    """

    def __init__(self, path: Path, names: Sequence[str]) -> None:
        self.path, self._images = path, names
        self.numbers: Numbers = np.full(len(names), -1, dtype=np.int64)
        self.titles: dict[int, str] = {}
        self._before: list[tuple[Numbers, dict[int, str]]] = []
        self._read()

    def __bool__(self) -> bool:
        return bool((self.numbers >= 0).any())

    @property
    def can_undo(self) -> bool:
        """Whether there is a change to take back."""
        return bool(self._before)

    def clusters(self) -> list[tuple[int, str, int]]:
        """Return number, name and size of every cluster, by number; unnamed ones are called ``cluster N``."""
        numbers, sizes = np.unique(self.numbers[self.numbers >= 0], return_counts=True)
        return [
            (number, self.title(number), size) for number, size in zip(numbers.tolist(), sizes.tolist(), strict=True)
        ]

    def title(self, number: int) -> str:
        """Return a cluster's name."""
        return self.titles.get(number) or (f"cluster {number}" if number >= 0 else "in no cluster")

    def rows_of(self, number: int) -> Numbers:
        """Return the images of a cluster.

        Raises:
            UserError: there is none of that number.
        """
        rows = np.flatnonzero(self.numbers == number)
        if number < 0 or not len(rows):
            raise UserError(f"there is no cluster {number}: choose one of the list")
        return rows

    def replace(self, numbers: npt.ArrayLike) -> None:
        """Take a new clustering, int64 ``[N]``, -1 for images in none: the largest becomes cluster 0; names begin anew."""
        new = np.asarray(numbers, dtype=np.int64)
        values, counts = np.unique(new[new >= 0], return_counts=True)
        order = values[np.argsort(-counts, kind="stable")]
        place = {int(old): number for number, old in enumerate(order.tolist())}
        self._become(np.array([place.get(number, -1) for number in new.tolist()], dtype=np.int64), {})

    def rename(self, number: int, title: str) -> None:
        """Give a cluster a name; an empty one takes the name away."""
        self.rows_of(number)
        titles = {key: value for key, value in self.titles.items() if key != number}
        if title.strip():
            titles[number] = clean(title)
        self._become(self.numbers, titles)

    def merge(self, numbers: Iterable[int]) -> int:
        """Make one cluster of several and return its number, the smallest of theirs; it keeps the first name there is.

        Raises:
            UserError: fewer than two clusters.
        """
        chosen = sorted(set(numbers))
        if len(chosen) < 2:
            raise UserError("merging takes two clusters or more: tick them in the list first")
        for number in chosen:
            self.rows_of(number)
        merged = np.where(np.isin(self.numbers, chosen), chosen[0], self.numbers)
        title = next((self.titles[number] for number in chosen if number in self.titles), "")
        titles = {key: value for key, value in self.titles.items() if key not in chosen}
        self._become(merged, {**titles, **({chosen[0]: title} if title else {})})
        return chosen[0]

    def split(self, number: int, divide: Callable[[Numbers], npt.NDArray[np.int64]]) -> list[int]:
        """Part a cluster and return the numbers of its parts.

        Args:
            number: which; its largest part keeps number and name.
            divide: from the cluster's rows to the part of each, 0 and up.

        Raises:
            UserError: it has a single image, or does not come apart.
        """
        rows = self.rows_of(number)
        if len(rows) < 2:
            raise UserError(f"{self.title(number)} has a single image, which cannot be split")
        parts = np.asarray(divide(rows), dtype=np.int64)
        values, counts = np.unique(parts, return_counts=True)
        if len(values) < 2:
            raise UserError(f"{self.title(number)} does not come apart: its images have one and the same code")
        free = int(self.numbers.max()) + 1
        order = values[np.argsort(-counts, kind="stable")].tolist()
        new = dict(zip(order, [number, *range(free, free + len(order) - 1)], strict=True))
        numbers = self.numbers.copy()
        numbers[rows] = [new[part] for part in parts.tolist()]
        self._become(numbers, self.titles)
        return list(new.values())

    def undo(self) -> str:
        """Take back the last change and say so."""
        if not self._before:
            return "there is nothing to undo"
        before = self._before.pop()
        self._put(*before)
        return "the last change of the clusters is undone"

    def _become(self, numbers: Numbers, titles: dict[int, str]) -> None:
        before = (self.numbers, self.titles)
        self._put(numbers, dict(titles))
        self._before = [*self._before[-REMEMBERED + 1 :], before]

    def _put(self, numbers: Numbers, titles: dict[int, str]) -> None:
        """Set clusters on disk and then in memory."""
        rows = (
            (name, number, titles.get(number, ""))
            for name, number in zip(self._images, numbers.tolist(), strict=True)
            if number >= 0
        )
        write_bytes(self.path, csv_bytes(COLUMNS, rows))
        self.numbers, self.titles = numbers, titles

    def _read(self) -> None:
        if not self.path.is_file():
            return
        try:
            with self.path.open(newline="", encoding="utf-8-sig") as file:
                found = {row["name"]: (int(row["cluster"]), row["cluster_name"] or "") for row in csv.DictReader(file)}
        except (ValueError, TypeError, KeyError, csv.Error, OSError) as error:
            raise UserError(f"{self.path} cannot be read as clusters ({error!r}): mend it, or move it away") from None
        known = [found.get(name, (-1, "")) for name in self._images]
        self.numbers = np.array([number for number, _ in known], dtype=np.int64)
        self.titles = {number: title for number, title in known if number >= 0 and title}
