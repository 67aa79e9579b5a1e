"""Are images that it is judged by among those it was trained on?"""

from __future__ import annotations

import dataclasses

import numpy as np

from latentia.data.duplicates import near_duplicates
from latentia.data.imageset import ImageSet
from latentia.tasks.doctor import FAULT, FINE, LOOK, Finding, Patient

SOME, MANY, MOST = 0.01, 0.1, 20_000


def find(patient: Patient) -> Finding | None:
    """Return the share of images with a near-duplicate among the training images; ``None`` where there are no others."""
    if (
        patient.train is None
        or not patient.held_out
        or patient.train.pixels.shape[1:] != patient.images.pixels.shape[1:]
    ):
        return None
    if patient.train.pixels.dtype != patient.images.pixels.dtype:
        return None
    train = patient.train.select(np.linspace(0, len(patient.train) - 1, min(len(patient.train), MOST)).astype(np.int64))
    groups = near_duplicates(_joined(train, patient.images)).groups
    share = float(np.isin(groups[len(train) :], groups[: len(train)]).mean())
    verdict = FINE if share <= SOME else LOOK if share <= MANY else FAULT
    return Finding(
        "duplicates across splits",
        verdict,
        {"share": share},
        f"{share:.1%} of the images have a near-duplicate among {len(train):,} training images",
        f"at most {SOME:.0%}: figures on images that were seen are no figures",
        "remove duplicates, or judge by `latentia crossval`, which keeps them in one fold",
    )


def _joined(first: ImageSet, second: ImageSet) -> ImageSet:
    return dataclasses.replace(
        first,
        pixels=np.concatenate([first.pixels, second.pixels]),
        names=[str(place) for place in range(len(first) + len(second))],
        ids=np.arange(len(first) + len(second)),
        labels=None,
        geometry=None,
        groups=None,
    )
