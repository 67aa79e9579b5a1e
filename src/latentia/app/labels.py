"""The labels that a person gives: every change is on disk before it is answered, and can be taken back."""

from __future__ import annotations

import csv
import dataclasses
import unicodedata
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from latentia.core.atomic import write_bytes
from latentia.core.errors import UserError, nearest
from latentia.data.imageset import UNLABELLED
from latentia.data.labels import COLUMNS, Labels
from latentia.tasks.clusters import csv_bytes

LONGEST = 80  # characters of a label
REMEMBERED = 200  # changes that can be taken back


@dataclasses.dataclass(frozen=True)
class Change:
    """What one change did.

    Attributes:
        text: what to tell the person.
        count: images that changed.
        skipped: images that were left out because they belong to an official test part.
    """

    text: str
    count: int
    skipped: int = 0


@dataclasses.dataclass(frozen=True, eq=False)
class _Step:
    rows: npt.NDArray[np.int64]
    before: npt.NDArray[np.int64]
    after: npt.NDArray[np.int64]
    text: str


class LabelStore:
    """Labels of images, kept in a CSV file with the columns ``name`` and ``label``.

    Args:
        path: the file; what it holds is read, and rows of images that are not shown are kept.
        names: of the images.
        allowed: the only labels that may be given, or empty for any.
        fixed: bool ``[N]``, images that may not be labelled.

    Raises:
        UserError: the file is damaged.
    """

    def __init__(
        self,
        path: Path,
        names: Sequence[str],
        allowed: Sequence[str] = (),
        fixed: npt.NDArray[np.bool_] | None = None,
    ) -> None:
        self.path, self.names, self.allowed = path, names, tuple(allowed)
        self._fixed = np.zeros(len(names), dtype=bool) if fixed is None else fixed
        self.numbers = np.full(len(names), UNLABELLED, dtype=np.int64)
        self.words: list[str] = [*self.allowed]
        self._elsewhere: dict[str, str] = {}
        self._done: list[_Step] = []
        self._undone: list[_Step] = []
        self._read()

    @property
    def count(self) -> int:
        """How many of the images have a label."""
        return int((self.numbers >= 0).sum())

    def counts(self) -> list[tuple[str, int]]:
        """Return every label that may be given or is, with how many images have it."""
        counts = np.bincount(self.numbers[self.numbers >= 0], minlength=len(self.words)).tolist()
        return [(word, count) for word, count in zip(self.words, counts, strict=True) if count or word in self.allowed]

    def label_of(self, row: int) -> str:
        """Return an image's label, or an empty string."""
        number = int(self.numbers[row])
        return self.words[number] if number >= 0 else ""

    def by_row(self) -> dict[int, str]:
        """Return the label of each image that has one."""
        return {row: self.label_of(row) for row in np.flatnonzero(self.numbers >= 0).tolist()}

    def rows_of(self, word: str) -> npt.NDArray[np.int64]:
        """Return the images with a label."""
        return np.flatnonzero(self.numbers == self.words.index(word)) if word in self.words else np.array([], np.int64)

    def label(self, rows: Iterable[int], word: str) -> Change:
        """Give images a label.

        Raises:
            UserError: an empty or too long label, or one that the images' own classes do not have.
        """
        cleaned = clean(word)
        if self.allowed and cleaned not in self.allowed:
            raise UserError(
                f"{cleaned!r} is no class of these images{nearest(cleaned, self.allowed)}; choose one of "
                f"{', '.join(self.allowed)}, for `latentia finetune` takes no other"
            )
        if cleaned not in self.words:
            self.words.append(cleaned)
        return self._change(rows, self.words.index(cleaned), f"labelled {cleaned!r}")

    def clear(self, rows: Iterable[int]) -> Change:
        """Take the labels of images away."""
        return self._change(rows, UNLABELLED, "without a label now")

    def toggle(self, row: int, word: str) -> Change:
        """Give an image a label, or take it away where it has just that one."""
        return self.clear([row]) if self.label_of(row) == clean(word) else self.label([row], word)

    def undo(self) -> Change:
        """Take back the last change."""
        if not self._done:
            return Change("there is nothing to undo", 0)
        step = self._done.pop()
        self._put(step.rows, step.before)
        self._undone.append(step)
        return Change(f"undone: {step.text}", len(step.rows))

    def redo(self) -> Change:
        """Do again what was taken back last."""
        if not self._undone:
            return Change("there is nothing to redo", 0)
        step = self._undone.pop()
        self._put(step.rows, step.after)
        self._done.append(step)
        return Change(f"done again: {step.text}", len(step.rows))

    @property
    def can_undo(self) -> bool:
        """Whether there is a change to take back."""
        return bool(self._done)

    @property
    def can_redo(self) -> bool:
        """Whether there is a change to do again."""
        return bool(self._undone)

    def learnable(self) -> Labels:
        """Return the labels as a classifier learns from them: only classes that have any.

        Raises:
            UserError: labels of fewer than two classes.
        """
        present = [number for number, word in enumerate(self.words) if (self.numbers == number).any()]
        if len(present) < 2:
            raise UserError(
                f"a classifier needs labels of two classes or more, and there are {'none' if not present else 'only'} "
                f"{'yet' if not present else 'of ' + repr(self.words[present[0]])}: label some images first"
            )
        place = np.full(len(self.words) + 1, UNLABELLED, dtype=np.int64)
        place[present] = np.arange(len(present))
        return Labels(place[self.numbers], tuple(self.words[number] for number in present))

    def _change(self, rows: Iterable[int], number: int, text: str) -> Change:
        asked = np.unique(np.fromiter(rows, dtype=np.int64))
        asked = asked[(asked >= 0) & (asked < len(self.names))]
        free = asked[~self._fixed[asked]]
        changed = free[self.numbers[free] != number]
        skipped = len(asked) - len(free)
        said = f"{len(changed):,} image{'s' * (len(changed) != 1)} {text}"
        if skipped:
            said += f"; {skipped:,} of the official test images left out, for they are never learned from"
        if len(changed):
            before = self.numbers[changed].copy()
            after = np.full(len(changed), number, dtype=np.int64)
            self._put(changed, after)
            self._done = [*self._done[-REMEMBERED + 1 :], _Step(changed, before, after, said)]
            self._undone.clear()
        return Change(said, len(changed), skipped)

    def _put(self, rows: npt.NDArray[np.int64], numbers: npt.NDArray[np.int64]) -> None:
        """Set labels in memory and on disk, or neither."""
        before = self.numbers.copy()
        self.numbers[rows] = numbers
        try:
            self._write()
        except BaseException:
            self.numbers = before
            raise

    def _write(self) -> None:
        own = ((self.names[row], self.words[self.numbers[row]]) for row in np.flatnonzero(self.numbers >= 0).tolist())
        write_bytes(self.path, csv_bytes(COLUMNS, [*own, *self._elsewhere.items()]))

    def _read(self) -> None:
        if not self.path.is_file():
            return
        try:
            with self.path.open(newline="", encoding="utf-8-sig") as file:
                reader = csv.DictReader(file)
                if list(reader.fieldnames or ()) != list(COLUMNS):
                    raise ValueError(f"its first line is not {','.join(COLUMNS)}")
                found = {row["name"]: clean(row["label"] or "") for row in reader if (row["label"] or "").strip()}
        except (ValueError, csv.Error, OSError, KeyError) as error:
            raise UserError(f"{self.path} cannot be read as labels ({error}): mend it, or move it away") from None
        position = {name: row for row, name in enumerate(self.names)}
        for name, word in found.items():
            if name not in position:
                self._elsewhere[name] = word
                continue
            if word not in self.words:
                self.words.append(word)
            self.numbers[position[name]] = self.words.index(word)


def clean(word: str) -> str:
    """Return a label as it is kept: one line, without control characters and without blanks at its ends.

    Raises:
        UserError: nothing is left, or too much.
    """
    visible = "".join(" " if unicodedata.category(letter)[0] in "CZ" else letter for letter in str(word))
    cleaned = " ".join(visible.split())
    if not cleaned:
        raise UserError("a label cannot be empty: write a word")
    if len(cleaned) > LONGEST:
        raise UserError(f"a label of {len(cleaned)} characters is too long: use {LONGEST} or fewer")
    return cleaned
