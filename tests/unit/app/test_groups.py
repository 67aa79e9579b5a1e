"""Clusters by hand: merging, splitting, naming, undo, and what is on disk after each."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from latentia.app.groups import GroupBook
from latentia.core.errors import UserError

NAMES = [f"{number}.png" for number in range(8)]


@pytest.fixture
def book(tmp_path: Path) -> GroupBook:
    made = GroupBook(tmp_path / "clusters.csv", NAMES)
    made.replace([5, 5, 5, 9, 9, 2, 2, -1])
    return made


def again(book: GroupBook) -> GroupBook:
    return GroupBook(book.path, NAMES)


def test_the_largest_comes_first_and_all_is_on_disk(book: GroupBook) -> None:
    assert book.numbers.tolist() == [0, 0, 0, 2, 2, 1, 1, -1]
    book.rename(2, ' round, "big" ')
    assert again(book).clusters() == [(0, "cluster 0", 3), (1, "cluster 1", 2), (2, 'round, "big"', 2)]
    book.rename(2, "")
    assert again(book).title(2) == "cluster 2"


def test_merging_keeps_the_smallest_number_and_the_first_name(book: GroupBook) -> None:
    book.rename(2, "ring")
    assert book.merge([2, 0]) == 0
    assert again(book).clusters() == [(0, "ring", 5), (1, "cluster 1", 2)]
    with pytest.raises(UserError, match="merging takes two clusters or more"):
        book.merge([1, 1])
    with pytest.raises(UserError, match="there is no cluster 7"):
        book.merge([0, 7])


def test_splitting_leaves_the_others_alone(book: GroupBook) -> None:
    book.rename(0, "mixed")
    parts = book.split(0, lambda rows: np.where(rows == 1, 0, 1))
    assert parts == [0, 3]
    assert again(book).numbers.tolist() == [0, 3, 0, 2, 2, 1, 1, -1]
    assert book.title(0) == "mixed" and book.title(3) == "cluster 3"
    with pytest.raises(UserError, match="has a single image"):
        book.split(3, lambda rows: rows)
    with pytest.raises(UserError, match="does not come apart"):
        book.split(0, lambda rows: np.zeros(len(rows)))


def test_undo_goes_back_to_before_the_clustering(book: GroupBook) -> None:
    book.rename(1, "x")
    book.merge([0, 1])
    book.replace(np.zeros(8, dtype=int))
    for expected in ([(0, "x", 5), (2, "cluster 2", 2)], [(0, "cluster 0", 3), (1, "x", 2), (2, "cluster 2", 2)]):
        book.undo()
        assert again(book).clusters() == expected
    book.undo()
    book.undo()
    assert not again(book)
    assert book.undo() == "there is nothing to undo"


def test_a_damaged_file_is_told(book: GroupBook) -> None:
    book.path.write_text("name,cluster,cluster_name\n0.png,many,\n")
    with pytest.raises(UserError, match=r"cannot be read as clusters .* mend it, or move it away"):
        again(book)
