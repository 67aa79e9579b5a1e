"""Labels from files and by number: what is drawn, what is read, and every sentence about what cannot be."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from latentia.core.errors import UserError
from latentia.data.imageset import from_array
from latentia.data.labels import draw_labels, numbers_for, read_labels

PIXELS = np.random.default_rng(0).integers(0, 255, (12, 6, 5), dtype=np.uint8)
NAMES = [f"image{index}.png" for index in range(12)]
IMAGES = from_array(PIXELS, ["cat", "dog", "owl"] * 4, names=NAMES, source="pets")
BARE = from_array(PIXELS, names=NAMES, source="pets")


def written(folder: Path, text: str) -> Path:
    path = folder / "labels.csv"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("count", [3, 4, 7, 12])
def test_what_is_drawn_is_balanced_and_true(count: int) -> None:
    drawn = draw_labels(IMAGES, count, seed=1)
    assert drawn.count == sum(drawn.counts()) == count
    assert max(drawn.counts()) - min(drawn.counts()) <= 1
    known = drawn.numbers >= 0
    assert np.array_equal(drawn.numbers[known], IMAGES.labels[known])
    assert drawn.classes == ("cat", "dog", "owl")


def test_the_seed_decides_which() -> None:
    first, again, other = (draw_labels(IMAGES, 5, seed=seed).numbers for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_a_class_with_too_few_gives_all_it_has() -> None:
    images = from_array(PIXELS, [0] * 10 + [1] * 2)
    assert draw_labels(images, 8).counts() == [6, 2]


def test_all_labels_are_taken_where_no_number_is_given_and_unlabelled_stay_so() -> None:
    images = from_array(PIXELS, [0, 1, -1] * 4)
    drawn = draw_labels(images)
    assert drawn.counts() == [4, 4]
    assert np.array_equal(drawn.numbers, images.labels)


def test_a_number_that_no_image_has_is_no_class() -> None:
    drawn = draw_labels(from_array(PIXELS, [2, 5] * 6))
    assert drawn.classes == ("2", "5")
    assert set(drawn.numbers) == {0, 1}


def test_a_file_gives_labels_by_name_in_any_order_of_rows_and_columns(tmp_path: Path) -> None:
    path = written(tmp_path, "label,name,note\n10,image3.png,x\n9,image0.png,\n,image1.png,\n10,image7.png,\n")
    read = read_labels(path, BARE)
    assert read.classes == ("9", "10"), "numbers are sorted by size"
    assert {int(index): int(read.numbers[index]) for index in np.flatnonzero(read.numbers >= 0)} == {0: 0, 3: 1, 7: 1}
    assert read.notes == (f"1 of 4 rows of {path} have no label and are passed over",)


def test_a_class_of_the_images_that_the_file_lacks_is_mentioned(tmp_path: Path) -> None:
    read = read_labels(written(tmp_path, "name,label\nimage0.png,cat\nimage1.png,dog\n"), IMAGES)
    assert read.classes == ("cat", "dog")
    assert "has no label of owl: the classifier will never answer so" in read.notes[0]


def test_the_spreadsheet_mark_and_spaces_do_no_harm(tmp_path: Path) -> None:
    path = tmp_path / "labels.csv"
    path.write_bytes("\ufeffname, label\r\nimage0.png, cat\r\nimage1.png, big dog\r\n".encode())
    assert read_labels(path, BARE).classes == ("big dog", "cat")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            "name,label\nimage0.png,cat\nimage99.png,dog\n",
            r"line 3 of .* names 'image99.png', but pets has no such image",
        ),
        ("name,label\nimage0.png,a\nimage1.png,b\nimage0.png,b\n", r"names 'image0.png' twice, in lines 2 and 4"),
        ("name,label\nimage0.png,cat\nimage1.png,cat\n", r"labels of a single class \('cat'\): a classifier needs two"),
        ("name,label\nimage0.png,\n", r"holds no labels: fill in its column 'label'"),
        ("name,label\n", r"holds no labels: fill in its column 'label'"),
        ("", r"lacks the column 'name' \(its first line holds nothing\)"),
        ("name,class\nimage0.png,cat\n", r"lacks the column 'label' \(its first line holds name, class\)"),
        ("name|label\nimage0.png|cat\n", r"lacks the column 'name' \(its first line holds name|label\)"),
        ("name,label\nimage0.png,cat\nimage1.png,dgo\n", r"label 'dgo', which is no class of pets; did you mean 'dog'"),
    ],
)
def test_what_is_wrong_with_a_file_is_said_in_a_sentence(tmp_path: Path, text: str, sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        read_labels(written(tmp_path, text), IMAGES)


def test_a_file_that_is_not_there_or_is_no_text(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"the label file '.*none.csv' does not exist"):
        read_labels(tmp_path / "none.csv", IMAGES)
    (tmp_path / "binary.csv").write_bytes(b"\xff\xfe\x00name")
    with pytest.raises(UserError, match=r"is no UTF-8 text: save it as CSV in UTF-8"):
        read_labels(tmp_path / "binary.csv", IMAGES)


def test_what_cannot_be_drawn() -> None:
    with pytest.raises(UserError, match="pets has no labels: give --label-file"):
        draw_labels(BARE, 5)
    with pytest.raises(UserError, match="2 labels are fewer than the 3 classes of pets: each class needs at least one"):
        draw_labels(IMAGES, 2)
    with pytest.raises(UserError, match="13 labels were asked for, but pets has 12 for training"):
        draw_labels(IMAGES, 13)
    with pytest.raises(UserError, match="single class"):
        draw_labels(from_array(PIXELS, [1] * 12))


def test_truth_is_told_by_the_classes_names() -> None:
    assert numbers_for(BARE, ("a", "b")) is None
    assert numbers_for(IMAGES, ("owl", "cat")).tolist() == [1, -2, 0] * 4


@pytest.mark.parametrize("between", [";", "\t"])
def test_what_spreadsheets_write_is_read(tmp_path: Path, between: str) -> None:
    text = "name,label\r\nimage0.png,cat\r\nimage1.png,dog\r\n".replace(",", between)
    (tmp_path / "labels.csv").write_bytes(b"\xef\xbb\xbf" + text.encode())
    assert read_labels(tmp_path / "labels.csv", IMAGES).classes == ("cat", "dog")


def test_a_header_in_the_middle_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "labels.csv").write_text("name,label\nimage0.png,cat\nname,label\nimage1.png,dog\n")
    found = read_labels(tmp_path / "labels.csv", IMAGES)
    assert (found.count, found.classes) == (2, ("cat", "dog"))


def test_labels_of_which_none_names_a_sub_folder_are_classes_of_their_own(tmp_path: Path) -> None:
    read = read_labels(written(tmp_path, "name,label\nimage0.png,crack\nimage1.png,dent\n"), IMAGES)
    assert read.classes == ("crack", "dent")
    assert any("so the file's own are the classes" in note for note in read.notes)
    assert not any("never answer" in note for note in read.notes)
    assert numbers_for(IMAGES, read.classes) is None, "the sub-folders do not judge such a classifier"


def test_another_number_is_another_image_and_no_slip_of_the_pen(tmp_path: Path) -> None:
    numbered = dataclasses.replace(BARE, names=[f"scan {100 + number}.png" for number in range(len(BARE))])
    with pytest.raises(UserError, match=r"names are written as 'scan 100.png'"):
        read_labels(written(tmp_path, "name,label\nscan 999.png,a\nscan 101.png,b\n"), numbered)
    with pytest.raises(UserError, match=r"did you mean 'scan 101.png'"):
        read_labels(written(tmp_path, "name,label\nscna 101.png,a\nscan 102.png,b\n"), numbered)


def test_what_means_not_known_is_no_class(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="which is what a classifier answers where it does not know"):
        read_labels(written(tmp_path, "name,label\nimage0.png,unsure\nimage1.png,b\n"), BARE)
