"""Batches that hold labelled and unlabelled images: everything is seen, in an order that seed and epoch decide."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from latentia.data.imageset import from_array
from latentia.data.mixed_batches import TURN, MixedBatches

PIXELS = np.random.default_rng(0).integers(0, 255, (50, 4, 4), dtype=np.uint8)


def batches(labelled: int, batch_size: int = 10, **more: object) -> MixedBatches:
    labels = np.where(np.arange(50) < labelled, np.arange(50) % 3, -1)
    images = from_array(PIXELS, labels)
    return MixedBatches(images, images.format, batch_size, 0.2, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize("labelled", [1, 4, 40, 49])
def test_every_batch_has_both_and_an_epoch_has_all(labelled: int) -> None:
    made = batches(labelled)
    shown = list(made.epoch(0))
    assert len(shown) == len(made)
    assert sum(map(len, shown)) == made.count
    for batch in shown:
        assert (batch.labels[:2] >= 0).all()
        assert (batch.labels[2:] == -1).all()
    assert {int(i) & 0xFFFF for batch in shown for i in batch.ids} == set(range(50))


def test_pixels_labels_and_ids_belong_together() -> None:
    for batch in batches(6).epoch(3):
        own = (batch.ids & 0xFFFF).numpy()
        assert np.allclose(batch.pixels[:, 0].numpy() * 255, PIXELS[own], atol=1e-3)
        assert np.array_equal(batch.labels.numpy(), np.where(own < 6, own % 3, -1))


def test_an_image_that_comes_again_has_another_id() -> None:
    ids = torch.cat([batch.ids for batch in batches(3).epoch(0)])
    assert len(ids.unique()) == len(ids)
    assert int((ids >> TURN).max()) == 3, "twelve labelled places for three images are four rounds"


def test_the_order_is_a_function_of_seed_and_epoch_and_can_be_taken_up_anywhere() -> None:
    def ids(epoch: int, start: int = 0, seed: int = 0) -> list[list[int]]:
        return [batch.ids.tolist() for batch in batches(8, seed=seed).epoch(epoch, start)]

    assert ids(1) == ids(1)
    assert ids(1)[3:] == ids(1, start=3)
    assert ids(1) != ids(2)
    assert ids(1) != ids(1, seed=1)


def test_guesses_travel_below_the_mark_of_the_unlabelled() -> None:
    guesses = torch.full((50,), -1)
    guesses[[0, 20, 30]] = torch.tensor([2, 0, 2])
    found = {
        int(i) & 0xFFFF: int(k)
        for b in batches(5, guesses=guesses).epoch(0)
        for i, k in zip(b.ids, b.labels, strict=True)
    }
    assert (found[20], found[30], found[40]) == (-2, -4, -1)
    assert found[0] == 0, "a label is not overruled by a guess"
