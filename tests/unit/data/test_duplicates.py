from __future__ import annotations

import dataclasses

import numpy as np

from latentia.data.duplicates import join_groups, near_duplicates
from latentia.data.imageset import from_array

RANDOM = np.random.default_rng(0)


def different(count: int, side: int = 16) -> np.ndarray:
    coarse = RANDOM.integers(0, 256, (count, side // 4, side // 4))
    return np.kron(coarse, np.ones((4, 4))).astype(np.uint8)


def test_exact_and_slightly_changed_copies_are_found() -> None:
    originals = different(200)
    noisy = np.clip(originals[:50].astype(int) + RANDOM.integers(-3, 4, originals[:50].shape), 0, 255).astype(np.uint8)
    found = near_duplicates(from_array(np.concatenate([originals, originals[:50], noisy])))
    assert (found.groups[200:250] == np.arange(50)).all()
    assert (found.groups[250:] == np.arange(50)).mean() >= 0.98
    assert found.count == int((found.groups != np.arange(300)).sum())
    assert (found.groups[:200] == np.arange(200)).all()


def test_real_digits_are_not_chained() -> None:
    from latentia import load

    found = near_duplicates(load("digits", quiet=True))
    assert found.count <= 5


def test_groups_are_capped() -> None:
    found = near_duplicates(from_array(np.zeros((100, 8, 8), dtype=np.uint8)), largest=10)
    assert np.unique(found.groups, return_counts=True)[1].max() == 10
    assert found.full == 10
    assert "10 groups" in str(found)


def test_nearly_blank_images_are_not_alike() -> None:
    pixels = np.zeros((20, 16, 16), dtype=np.uint8)
    for number in range(20):
        pixels[number, number // 5 : number // 5 + 2, number % 5] = 60
    assert near_duplicates(from_array(pixels)).count == 0


def test_groups_of_the_images_themselves_stay() -> None:
    images = dataclasses.replace(from_array(different(6)), groups=np.array([0, 0, 1, 2, 3, 3]))
    found = near_duplicates(images).groups
    assert found[0] == found[1]
    assert found[4] == found[5]
    assert len(set(found.tolist())) == 4


def test_joined_groups_are_the_finest_common_ones() -> None:
    found = join_groups(np.array([0, 0, 1, 2]), np.array([5, 6, 6, 7]))
    assert found[0] == found[1] == found[2] != found[3]
