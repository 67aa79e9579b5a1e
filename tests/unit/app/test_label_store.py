"""Labels: every change is in the file at once, can be undone, and is what fine-tuning reads."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from latentia import load
from latentia.app.labels import LabelStore, clean
from latentia.core.errors import StorageError, UserError
from latentia.data.labels import read_labels

NAMES = [f"{number}.png" for number in range(6)]


def rows(path: Path) -> list[list[str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.reader(file))


def test_a_change_is_in_the_file_at_once_and_comes_back(tmp_path: Path) -> None:
    path = tmp_path / "labels.csv"
    store = LabelStore(path, NAMES)
    assert not path.exists(), "nothing is written before there is something to keep"
    assert store.label([4, 1, 1], " a  cat\n").text == "2 images labelled 'a cat'"
    assert rows(path) == [["name", "label"], ["1.png", "a cat"], ["4.png", "a cat"]]
    store.label([2], "dog, small")
    again = LabelStore(path, NAMES)
    assert again.numbers.tolist() == [-1, 0, 1, -1, 0, -1]
    assert again.counts() == [("a cat", 2), ("dog, small", 1)]


def test_undo_and_redo_walk_through_all_changes(tmp_path: Path) -> None:
    store = LabelStore(tmp_path / "labels.csv", NAMES)
    store.label([0, 1], "x")
    store.label([1, 2], "y")
    store.clear([0])
    states = [rows(store.path)]
    while store.can_undo:
        assert store.undo().text.startswith("undone: ")
        states.append(rows(store.path))
    assert states[1][1:] == [["0.png", "x"], ["1.png", "y"], ["2.png", "y"]]
    assert states[-1] == [["name", "label"]]
    assert store.undo().text == "there is nothing to undo"
    for expected in reversed(states[:-1]):
        store.redo()
        assert rows(store.path) == expected
    store.undo()
    store.label([5], "z")
    assert not store.can_redo, "a new change ends what could be done again"


def test_what_fine_tuning_reads_is_what_was_given(tmp_path: Path) -> None:
    images = load("digits")
    store = LabelStore(tmp_path / "labels.csv", images.names, images.classes)
    store.label([3, 5], "7")
    store.label([8], "1")
    read = read_labels(store.path, images)
    assert read.classes == ("1", "7")
    assert np.flatnonzero(read.numbers >= 0).tolist() == [3, 5, 8]
    assert store.learnable().classes == read.classes
    assert store.learnable().numbers.tolist() == read.numbers.tolist()


def test_only_the_images_own_classes_where_there_are_any(tmp_path: Path) -> None:
    store = LabelStore(tmp_path / "labels.csv", NAMES, ("shirt", "coat"))
    with pytest.raises(UserError, match=r"'shirts' is no class of these images; did you mean 'shirt'\?; choose one of"):
        store.label([0], "shirts")
    assert store.counts() == [("shirt", 0), ("coat", 0)]


def test_official_test_images_are_left_out_and_said(tmp_path: Path) -> None:
    fixed = np.array([False, True, True, False, False, False])
    change = LabelStore(tmp_path / "labels.csv", NAMES, fixed=fixed).label(range(4), "x")
    assert (change.count, change.skipped) == (2, 2)
    assert "2 of the official test images left out" in change.text


def test_rows_of_images_that_are_not_shown_are_kept(tmp_path: Path) -> None:
    LabelStore(tmp_path / "labels.csv", NAMES).label([0, 5], "x")
    LabelStore(tmp_path / "labels.csv", NAMES[:3]).label([1], "y")
    assert rows(tmp_path / "labels.csv")[1:] == [["0.png", "x"], ["1.png", "y"], ["5.png", "x"]]


def test_a_disk_that_is_full_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = LabelStore(tmp_path / "labels.csv", NAMES)
    store.label([0], "x")

    def full(*_: object) -> None:
        raise StorageError("the disk is full")

    monkeypatch.setattr("latentia.app.labels.write_bytes", full)
    with pytest.raises(StorageError):
        store.label([1, 2], "y")
    assert store.numbers.tolist() == [0, -1, -1, -1, -1, -1]
    assert len(rows(store.path)) == 2


@pytest.mark.parametrize(("content", "told"), [("a,b\n", "first line is not name,label"), ("name,label\n\xff", "")])
def test_a_damaged_file_is_told_in_one_sentence(tmp_path: Path, content: str, told: str) -> None:
    (tmp_path / "labels.csv").write_bytes(content.encode("latin-1"))
    with pytest.raises(UserError, match=f"cannot be read as labels .*{told}.*mend it, or move it away"):
        LabelStore(tmp_path / "labels.csv", NAMES)


@pytest.mark.parametrize(("word", "told"), [("  \n\t", "cannot be empty"), ("x" * 81, "81 characters is too long")])
def test_labels_that_are_none(word: str, told: str) -> None:
    with pytest.raises(UserError, match=told):
        clean(word)


def test_too_few_classes_to_learn_from(tmp_path: Path) -> None:
    store = LabelStore(tmp_path / "labels.csv", NAMES)
    with pytest.raises(UserError, match="there are none yet: label some images first"):
        store.learnable()
    store.label([0, 1], "x")
    with pytest.raises(UserError, match="there are only of 'x'"):
        store.learnable()
