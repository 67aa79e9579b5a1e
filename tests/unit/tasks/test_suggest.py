"""What is suggested: regions without labels first, typical images, then doubt without duplicates, and never what has a label."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from latentia import load
from latentia.core.errors import UserError
from latentia.data.imageset import from_array
from latentia.tasks.shallow import shallow_answers
from latentia.tasks.suggest import suggest


def islands(sizes: list[int], seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return points in far-apart clusters, and the cluster of each."""
    random = np.random.default_rng(seed)
    of = np.repeat(np.arange(len(sizes)), sizes)
    return (random.normal(0, 1, (len(of), 2)) + 50 * np.eye(len(sizes))[of][:, :2]).astype(np.float32), of


def images(count: int) -> object:
    return from_array(np.zeros((count, 2, 2), dtype=np.uint8))


def test_regions_without_labels_come_first_the_largest_before() -> None:
    points, of = islands([60, 40, 20])
    points += np.float32(80) * (of == 2)[:, None]
    found = suggest(images(120), points, {}, 3)  # type: ignore[arg-type]
    assert of[found.rows].tolist() == [0, 1, 2]
    assert found.reasons[0] == "typical of 60 images like it, none of them labelled"
    labelled = {int(row): "a" for row in found.rows[:2]}
    assert of[suggest(images(120), points, labelled, 1).rows].tolist() == [2]  # type: ignore[arg-type]


def test_what_is_suggested_is_typical() -> None:
    points, _ = islands([200])
    row = int(suggest(images(200), points, {}, 1).rows[0])  # type: ignore[arg-type]
    assert np.linalg.norm(points[row] - points.mean(0)) < np.median(np.linalg.norm(points - points.mean(0), axis=1))


def test_labelled_and_passed_images_are_never_suggested() -> None:
    points, _ = islands([15, 15])
    chances = np.full((30, 2), 0.5)
    labels, passed = dict.fromkeys(range(10), "a"), frozenset(range(10, 20))
    for by in ("auto", "coverage", "uncertainty"):
        found = suggest(
            images(30),
            points,
            labels,
            50,
            passed=passed,
            probabilities=chances,
            classes=("a", "b"),
            by=by,  # type: ignore[arg-type]
        )
        assert sorted(found.rows.tolist()) == list(range(20, 30)), "all that are left, and each once"
        assert found.passed == 10


def test_doubt_is_followed_and_no_two_are_alike() -> None:
    points, of = islands([50, 50])
    chances = np.tile([0.9, 0.1], (100, 1))
    doubtful = np.concatenate([np.arange(10), np.arange(60, 70)])
    chances[doubtful] = [0.55, 0.45]
    found = suggest(images(100), points, {99: "a"}, 2, probabilities=chances, classes=("a", "b"), by="uncertainty")  # type: ignore[arg-type]
    assert set(found.rows.tolist()) <= set(doubtful.tolist())
    assert sorted(of[found.rows].tolist()) == [0, 1], "one of each region of doubt"
    assert found.reasons[0] == "unsure: 55% a, 45% b"


def test_coverage_gives_way_to_uncertainty_as_labels_grow() -> None:
    points, _ = islands([200, 200])
    chances = np.random.default_rng(0).dirichlet([1, 1], 400)
    kinds = []
    for count in (2, 20, 200):
        labels = {row: "ab"[row % 2] for row in range(count)}
        found = suggest(images(400), points, labels, 10, probabilities=chances, classes=("a", "b"))  # type: ignore[arg-type]
        kinds.append(sum(reason.startswith("typical") for reason in found.reasons))
        assert len(set(found.rows.tolist())) == 10
    assert kinds[0] > kinds[1] > kinds[2] == 2, "a fifth always goes to coverage"


def test_equal_images_and_a_handful_are_no_obstacle() -> None:
    same = np.zeros((12, 3), dtype=np.float32)
    assert len(set(suggest(images(12), same, {0: "a"}, 5).rows.tolist())) == 5  # type: ignore[arg-type]
    one = suggest(images(1), np.zeros((1, 3), dtype=np.float32), {}, 20)  # type: ignore[arg-type]
    assert one.rows.tolist() == [0]


def test_suggested_labels_are_worth_more_than_random_ones() -> None:
    """TypiClust's claim, on real digits: with few labels a simple classifier is better, and more classes are seen."""
    pool, test = load("digits", "train"), load("digits", "test")
    assert pool.labels is not None and test.labels is not None
    rows, others = (each.format.to_unit(each.pixels).reshape(len(each), -1) for each in (pool, test))

    def error(chosen: np.ndarray) -> float:
        said, _ = shallow_answers("logistic", rows[chosen], pool.labels[chosen], others)  # type: ignore[index]
        return float((said != test.labels).mean())

    picked = suggest(pool, rows, {}, 20).rows
    drawn = [np.random.default_rng(seed).permutation(len(pool))[:20] for seed in range(10)]
    assert error(picked) < np.mean([error(each) for each in drawn]) - 0.1
    assert len(set(pool.labels[picked].tolist())) == 10


def test_the_list_is_written_and_gone_on_with(tmp_path: Path) -> None:
    points, _ = islands([30, 30])
    path = tmp_path / "to-label.csv"
    first = suggest(images(60), points, {}, 3)  # type: ignore[arg-type]
    first.write_csv(path)
    with pytest.raises(UserError, match="exists already: give it as --label-file too, to go on from it"):
        first.write_csv(path)
    path.write_text(path.read_text().replace(",,", ",crack,").rstrip("\n"))
    second = suggest(images(60), points, {int(row): "crack" for row in first.rows}, 2)  # type: ignore[arg-type]
    second.write_csv(path, after=True)
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["name"] for row in rows] == first.names + second.names
    assert [row["label"] for row in rows] == ["crack"] * 3 + [""] * 2


def test_a_spreadsheets_file_stays_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "labels.csv"
    before = "\ufefflabel;name;by\r\nfine;000000;Ada\r\n".encode()
    path.write_bytes(before)
    found = suggest(images(9), np.zeros((9, 2), dtype=np.float32), {0: "fine"}, 1)  # type: ignore[arg-type]
    found.write_csv(path, after=True)
    assert path.read_bytes() == before + f";{found.names[0]};\r\n".encode()


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"n": 0}, "n is 0, but it must be 1 or more"),
        ({"by": "doubt"}, "there is no way to suggest called 'doubt'"),
        ({"by": "uncertainty"}, "an autoencoder is unsure of nothing: name the run of a classifier"),
        ({"labels": dict.fromkeys(range(9), "a")}, "all 9 images of array have a label or were suggested before"),
    ],
)
def test_what_cannot_be_suggested_is_said(given: dict, sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        suggest(images(9), np.zeros((9, 2), dtype=np.float32), **{"labels": {}, "n": 2, **given})  # type: ignore[arg-type]
