"""Splits: explicit, seeded, and the same for everyone who names the same seed."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
import numpy.typing as npt

from latentia.core.errors import UserError
from latentia.data.imageset import ImageSet

SPLITS = ("train", "validation", "test", "all")
VALIDATION = 0.1  # of the training images
TEST = 0.1  # of all images, where a source has no official test part
SPLIT_SEED = 0
PARTS = {"train": ("train", "training"), "validation": ("validation", "val", "valid"), "test": ("test", "testing")}
"""The official parts, and what folders, shards and splits that belong to them are called."""


def part_called(words: Collection[str]) -> str:
    """Return the official part that one of ``words`` names, ``all`` where none does."""
    return next((part for part, names in PARTS.items() if not set(names).isdisjoint(words)), "all")


def only_together(parts: Sequence[str]) -> list[str]:
    """Return ``parts``; all of them ``all`` where there is not both a training and a test part: then none is official."""
    return list(parts) if {"train", "test"} <= set(parts) else ["all"] * len(parts)


def carve(images: ImageSet, fractions: dict[str, float], *, seed: int = 0) -> dict[str, ImageSet]:
    """Return ``images`` split at random into the named ``fractions`` plus ``"train"``, which takes the rest.

    Images of one group (the same picture under two names) stay together. Each named part gets at least one image where
    the set is large enough to leave one for training; a set of one image is all training.

    Raises:
        UserError: the fractions are negative or leave nothing to train on.
    """
    if any(fraction < 0 for fraction in fractions.values()) or sum(fractions.values()) >= 1:
        raise UserError(f"the fractions {fractions} must be 0 or more and leave a part of the images for training")
    order = _grouped_order(images, seed)
    count = len(images)
    parts: dict[str, ImageSet] = {}
    start = 0
    for name, fraction in fractions.items():
        wanted = max(round(count * fraction), 1) if fraction else 0
        stop = _group_end(images, order, min(start + wanted, count - 1))
        parts[name] = images.select(np.sort(order[start:stop]), split=name)
        start = stop
    return {"train": images.select(np.sort(order[start:]), split="train"), **parts}


def _grouped_order(images: ImageSet, seed: int) -> npt.NDArray[np.int64]:
    random = np.random.Generator(np.random.PCG64(seed))
    shuffled = random.permutation(len(images))
    if images.groups is None:
        return shuffled
    _, first = np.unique(images.groups[shuffled], return_index=True)
    rank = dict(zip(images.groups[shuffled][first].tolist(), first.tolist(), strict=True))
    return shuffled[np.argsort([rank[group] for group in images.groups[shuffled].tolist()], kind="stable")]


def _group_end(images: ImageSet, order: npt.NDArray[np.int64], stop: int) -> int:
    if images.groups is None:
        return stop
    # a part ends where its last group ends, unless that would leave nothing for training: then it ends before it
    forward = stop
    while 0 < forward < len(order) and images.groups[order[forward]] == images.groups[order[forward - 1]]:
        forward += 1
    if forward < len(order):
        return forward
    while stop > 0 and images.groups[order[stop]] == images.groups[order[stop - 1]]:
        stop -= 1
    return stop
