"""Labels for images that have none: from a CSV file with the columns ``name`` and ``label``, or drawn by number.

What is drawn is class-balanced, as the literature on few labels has it (Rasmus et al. 2015, section 4.1), and everything
else is unlabelled from there on: nothing downstream can read it.
"""

from __future__ import annotations

import csv
import dataclasses
import os
import re
from pathlib import Path

import numpy as np
import numpy.typing as npt

from latentia.core.errors import UserError, nearest
from latentia.core.noise import derive
from latentia.data.imageset import UNLABELLED, ImageSet

COLUMNS = ("name", "label")
NUMBERS = re.compile(r"\d+")
UNSURE = "unsure"  # the answer of a classifier that does not know


@dataclasses.dataclass(frozen=True, eq=False)
class Labels:
    """The labels that a classifier may learn from.

    Attributes:
        numbers: int64 ``[N]``, one for each image of a set; -1 where unlabelled.
        classes: the name of each class.
        notes: sentences a person should see.
    """

    numbers: npt.NDArray[np.int64]
    classes: tuple[str, ...]
    notes: tuple[str, ...] = ()

    @property
    def count(self) -> int:
        """How many images have a label."""
        return int((self.numbers >= 0).sum())

    def counts(self) -> list[int]:
        """Return how many labels each class has."""
        return np.bincount(self.numbers[self.numbers >= 0], minlength=len(self.classes)).tolist()

    def applied(self, images: ImageSet) -> ImageSet:
        """Return ``images`` with these labels and no others."""
        return dataclasses.replace(images, labels=self.numbers, classes=self.classes)


def draw_labels(images: ImageSet, count: int | None = None, seed: int = 0) -> Labels:
    """Return ``count`` class-balanced labels out of those that ``images`` have (all of them by default).

    Where the classes do not divide ``count``, a random few have one more; a class with too few gives all it has.

    Raises:
        UserError: the images have no labels or a single class, or there are fewer labels than classes or than asked for.
    """
    if images.labels is None or not (images.labels >= 0).any():
        raise UserError(
            f"{images.source} has no labels: give --label-file with the columns name and label, or put the images of each "
            "class in a sub-folder of its own"
        )
    present = np.unique(images.labels[images.labels >= 0])
    names = images.classes or tuple(str(number) for number in range(int(present.max()) + 1))
    classes = tuple(names[number] for number in present)
    _check_classes(classes, images.source)
    known = np.full(len(names), UNLABELLED, dtype=np.int64)
    known[present] = np.arange(len(present))
    numbers = np.where(images.labels >= 0, known[images.labels], UNLABELLED)
    if count is None:
        return Labels(numbers, classes)
    have = int((numbers >= 0).sum())
    if count < len(classes):
        raise UserError(
            f"{count} labels are fewer than the {len(classes)} classes of {images.source}: each class needs at least one"
        )
    if count > have:
        raise UserError(f"{count} labels were asked for, but {images.source} has {have:,} for training: ask for fewer")
    random = np.random.default_rng(derive(seed, "labels"))
    rows = [random.permutation(np.flatnonzero(numbers == number)) for number in range(len(classes))]
    # one for each class in turn, the classes in a random order in each round, until there are enough
    rounds = max(map(len, rows))
    turns = [number for _ in range(rounds) for number in random.permutation(len(classes))]
    taken = [0] * len(classes)
    chosen: list[int] = []
    for number in turns:
        if len(chosen) == count:
            break
        if taken[number] < len(rows[number]):
            chosen.append(int(rows[number][taken[number]]))
            taken[number] += 1
    kept = np.full(len(images), UNLABELLED, dtype=np.int64)
    kept[chosen] = numbers[chosen]
    return Labels(kept, classes)


@dataclasses.dataclass(frozen=True)
class LabelRows:
    """The rows of a label file.

    Attributes:
        labels: the label of each image that has one, by its position.
        empty: the positions of images whose label is not filled in.
    """

    labels: dict[int, str]
    empty: tuple[int, ...]

    @property
    def count(self) -> int:
        """How many rows there are."""
        return len(self.labels) + len(self.empty)


def read_label_rows(path: str | os.PathLike[str], images: ImageSet) -> LabelRows:
    """Return the rows of a label file, whatever labels they hold, even none.

    Raises:
        UserError: the file is missing or lacks a column, or names an image that there is not, or one twice.
    """
    place = Path(path)
    position = {name: index for index, name in enumerate(images.names)}
    seen: dict[str, int] = {}
    unknown: list[tuple[int, str]] = []
    texts: dict[int, str] = {}
    empty: list[int] = []
    for line, name, label in _rows(place):
        if name in seen:
            raise UserError(f"{place} names {name!r} twice, in lines {seen[name]} and {line}: keep one of them")
        seen[name] = line
        if name not in position:
            unknown.append((line, name))
        elif label:
            texts[position[name]] = label
        else:
            empty.append(position[name])
    if unknown:
        line, name = unknown[0]
        more = f" ({len(unknown)} such rows)" if len(unknown) > 1 else ""
        # names of files share their ends and much else: only a slip of the pen is near, and another number is another image
        same = [each for each in images.names if NUMBERS.findall(each) == NUMBERS.findall(name)]
        hint = nearest(name, same, alike=0.85) or f": names are written as {images.names[0]!r}"
        raise UserError(f"line {line} of {place} names {name!r}, but {images.source} has no such image{more}{hint}")
    return LabelRows(texts, tuple(empty))


def read_labels(path: str | os.PathLike[str], images: ImageSet) -> Labels:
    """Return the labels that a CSV file gives to ``images``, by their names; a row with an empty label is passed over.

    The classes are the file's labels, sorted (numbers by size). Where none of them is a class of the images, whose classes may be
    but the names of sub-folders, the file's are taken.

    Raises:
        UserError: the file is missing or lacks a column, names an image that there is not or one twice, has no labels, a
            single class, the class ``unsure``, or a class that the images' own do not have, though they have others of its.
    """
    place = Path(path)
    found = read_label_rows(place, images)
    texts = found.labels
    if not texts:
        raise UserError(f"{place} holds no labels: fill in its column 'label'")
    classes = tuple(sorted(set(texts.values()), key=_order))
    _check_classes(classes, str(place))
    if UNSURE in classes:
        raise UserError(
            f"{place} has the label {UNSURE!r}, which is what a classifier answers where it does not know: rename it"
        )
    own = () if set(classes).isdisjoint(images.classes) else images.classes
    strange = [label for label in classes if own and label not in own]
    if strange:
        raise UserError(
            f"{place} has the label {strange[0]!r}, which is no class of {images.source}{nearest(strange[0], own)}"
            f" (its classes: {', '.join(own)})"
        )
    numbers = np.full(len(images), UNLABELLED, dtype=np.int64)
    for index, label in texts.items():
        numbers[index] = classes.index(label)
    notes: tuple[str, ...] = (
        (f"{len(found.empty)} of {found.count} rows of {place} have no label and are passed over",)
        if found.empty
        else ()
    )
    if images.classes and not own:
        notes += (
            f"none of the labels in {place} is a class of {images.source} (such as {', '.join(images.classes[:3])}; names of "
            "sub-folders, perhaps), so the file's own are the classes",
        )
    absent = [name for name in own if name not in classes]
    if absent:
        notes += (f"{place} has no label of {', '.join(absent)}: the classifier will never answer so",)
    return Labels(numbers, classes, notes)


def numbers_for(images: ImageSet, classes: tuple[str, ...]) -> npt.NDArray[np.int64] | None:
    """Return the images' own labels as numbers of ``classes``: -1 unlabelled, -2 a class that is not among them.

    ``None`` where no image has a label, or none has one of ``classes``: then the two speak of different things.
    """
    if images.labels is None or not (images.labels >= 0).any():
        return None
    names = images.classes or tuple(str(number) for number in range(int(images.labels.max()) + 1))
    if set(classes).isdisjoint(names):
        return None
    known = np.array([classes.index(name) if name in classes else -2 for name in names], dtype=np.int64)
    return np.where(images.labels >= 0, known[np.maximum(images.labels, 0)], UNLABELLED)


def _rows(place: Path) -> list[tuple[int, str, str]]:
    """Return line, name and label of each row; a header in the middle, as where files were joined, is passed over."""
    try:
        with place.open(newline="", encoding="utf-8-sig") as file:
            first = file.readline()
            file.seek(0)
            # spreadsheets separate by semicolons where the comma is the decimal sign
            delimiter = max(",;\t", key=first.count)
            reader = csv.DictReader(file, skipinitialspace=True, delimiter=delimiter)
            header = [column.strip().strip("\ufeff") for column in reader.fieldnames or []]
            missing = [column for column in COLUMNS if column not in header]
            if missing:
                held = ", ".join(header) or "nothing"
                raise UserError(
                    f"{place} lacks the column {missing[0]!r} (its first line holds {held}): write name,label there"
                )
            reader.fieldnames = header
            rows = [
                (reader.line_num, (row["name"] or "").strip(), (row["label"] or "").strip())
                for row in reader
                if any(row.values())
            ]
    except FileNotFoundError:
        raise UserError(f"the label file {str(place)!r} does not exist") from None
    except UnicodeDecodeError:
        raise UserError(f"the label file {str(place)!r} is no UTF-8 text: save it as CSV in UTF-8") from None
    except (csv.Error, IsADirectoryError) as error:
        raise UserError(f"the label file {str(place)!r} cannot be read as CSV: {error}") from None
    rows = [row for row in rows if row[1:] != COLUMNS]
    if not rows:
        raise UserError(f"{place} holds no labels: fill in its column 'label'")
    return rows


def _check_classes(classes: tuple[str, ...], source: str) -> None:
    if len(classes) < 2:
        raise UserError(f"{source} has labels of a single class ({classes[0]!r}): a classifier needs two or more")


def _order(label: str) -> tuple[int, float, str]:
    try:
        return 0, float(label), label
    except ValueError:
        return 1, 0.0, label


def class_names(images: ImageSet) -> tuple[str, ...]:
    """Return the names of the images' classes, their numbers where they have no names."""
    highest = -1 if images.labels is None else int(images.labels.max(initial=-1))
    return images.classes or tuple(str(number) for number in range(highest + 1))
