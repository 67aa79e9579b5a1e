from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from sklearn.model_selection import LeaveOneOut, ShuffleSplit

from latentia.core.errors import UserError
from latentia.data.imageset import ImageSet, from_array
from latentia.studies.folds import Fold, FoldSettings, digest, make_folds


def pool(count: int = 40, labels: object = None) -> ImageSet:
    return from_array(np.random.default_rng(0).integers(0, 256, (count, 4, 4), dtype=np.uint8), labels)


def check(folds: list[Fold], count: int, repeats: int = 1) -> None:
    held = np.concatenate([fold.test for fold in folds])
    assert (np.bincount(held, minlength=count) == repeats).all()
    for fold in folds:
        parts = np.concatenate([fold.train, fold.validation, fold.test])
        assert sorted(parts) == list(range(count))


@pytest.mark.parametrize("repeats", [1, 3])
def test_every_image_is_held_out_once_a_repeat(repeats: int) -> None:
    folds = make_folds(pool(), FoldSettings(5, repeats))
    assert len(folds) == 5 * repeats
    check(folds, 40, repeats)
    assert digest(folds) == digest(make_folds(pool(), FoldSettings(5, repeats)))
    assert digest(folds) != digest(make_folds(pool(), FoldSettings(5, repeats, seed=1)))


def test_the_epoch_is_chosen_on_a_part_of_the_training_folds() -> None:
    for fold in make_folds(pool(), FoldSettings(4)):
        assert len(fold.validation) == 3
        assert not set(fold.validation) & (set(fold.test) | set(fold.train))


def test_stratified_folds_keep_the_shares() -> None:
    images = pool(40, np.arange(40) % 2)
    for fold in make_folds(images, FoldSettings(5, stratify=True)):
        assert images.labels is not None
        assert images.labels[fold.test].sum() == 4


def test_near_duplicates_stay_together_even_in_validation() -> None:
    together = np.arange(40) // 2 * 2
    folds = make_folds(pool(), FoldSettings(4), together=together)
    check(folds, 40)
    for fold in folds:
        for part in (fold.train, fold.validation, fold.test):
            assert all(image ^ 1 in part for image in part)


@pytest.mark.parametrize("settings", [FoldSettings(4), FoldSettings(4, 2), FoldSettings(2, stratify=True)])
def test_groups_stay_together(settings: FoldSettings) -> None:
    groups = np.array(list("abcdefgh") * 5)
    images = pool(40, np.arange(40) // 20)
    folds = make_folds(images, settings, groups=groups, together=np.arange(40))
    check(folds, 40, settings.repeats)
    for fold in folds:
        for part in (fold.train, fold.validation):
            assert not set(groups[part]) & set(groups[fold.test])


def test_any_splitter_will_do() -> None:
    assert len(make_folds(pool(6), FoldSettings(), splitter=LeaveOneOut())) == 6
    folds = make_folds(pool(), FoldSettings(), splitter=ShuffleSplit(3, test_size=0.2, random_state=0))
    assert [len(fold.test) for fold in folds] == [8, 8, 8]


@pytest.mark.parametrize(
    ("settings", "more", "sentence"),
    [
        (FoldSettings(50), {}, "array has 40 images, but 50 folds need at least 50: use fewer folds"),
        (FoldSettings(5), {"together": np.arange(40) // 10}, r"array has 4 different images \(of 40\), but 5 folds"),
        (FoldSettings(5), {"groups": np.arange(40) // 20}, "array has 2 groups, but 5 folds"),
        (FoldSettings(5), {"groups": [1, 2]}, "there are 2 groups for 40 images: give one for each image"),
        (FoldSettings(5, stratify=True), {}, "array has no labels to stratify by: leave --stratify out"),
    ],
)
def test_folds_that_cannot_be_made(settings: FoldSettings, more: dict[str, object], sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        make_folds(pool(), settings, **more)  # type: ignore[arg-type]


def test_a_class_too_small_is_named() -> None:
    images = pool(40, np.array(["rare"] * 3 + ["common"] * 37))
    with pytest.raises(UserError, match=r"the class 'rare' of array has 3 member\(s\), but 5 stratified folds need 5"):
        make_folds(images, FoldSettings(5, stratify=True))


def test_settings_out_of_range() -> None:
    with pytest.raises(UserError, match="there are 1 folds, but cross-validation needs 2 or more"):
        FoldSettings(1)
    with pytest.raises(UserError, match="repeats is 0"):
        dataclasses.replace(FoldSettings(), repeats=0)
