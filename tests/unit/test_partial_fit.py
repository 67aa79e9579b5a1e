"""Training that goes on as images arrive: what ``partial_fit`` promises, and what replay is for."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_digits

from latentia import ConvAutoencoder, DenoisingAutoencoder, VariationalAutoencoder
from latentia.core.errors import UserError
from latentia.data.imageset import from_array
from latentia.estimators._replay import Replay

DIGITS = load_digits()
IMAGES = (DIGITS.images / 16).astype(np.float32)
TINY = {"encoder.widths": "8,16", "bottleneck.hidden": 0, "decoder.hidden": 0}


@pytest.mark.parametrize("kind", [ConvAutoencoder, DenoisingAutoencoder, VariationalAutoencoder])
def test_each_call_learns_more_and_is_recorded(kind: Any) -> None:
    model = kind(4, options={"encoder.widths": "8,16"})
    model.partial_fit(IMAGES[:400])
    first = model.score(IMAGES[400:600])
    for _ in range(14):
        model.partial_fit(IMAGES[:400])
    assert model.score(IMAGES[400:600]) > first
    assert [record["epoch"] for record in model.history_] == list(range(1, 16))
    assert model.history_[-1]["train"]["loss"] < model.history_[0]["train"]["loss"]


def test_it_goes_on_from_fit_and_repeats() -> None:
    def made() -> ConvAutoencoder:
        return ConvAutoencoder(4, epochs=3, options=TINY, replay=50).fit(IMAGES[:200])

    once, twice = made(), made()
    before = once.score(IMAGES[:200])
    for model in (once, twice):
        for start in (200, 300):
            model.partial_fit(IMAGES[start : start + 100])
    assert once.score(IMAGES[:200]) > before
    assert np.array_equal(once.transform(IMAGES[:50]), twice.transform(IMAGES[:50]))
    assert len(once.history_) == 5
    once.fit(IMAGES[:200])  # begins anew
    assert np.array_equal(once.transform(IMAGES[:50]), made().transform(IMAGES[:50]))


def test_replay_keeps_what_no_longer_comes() -> None:
    old, new = IMAGES[DIGITS.target < 5], IMAGES[DIGITS.target >= 5]
    errors = {}
    for replay in (0, 300):
        model = ConvAutoencoder(8, options=TINY, replay=replay, learning_rate=5e-3)
        for part in (old, new):
            for _ in range(20):
                model.partial_fit(part[:600])
        errors[replay] = -model.score(old[600:])
    assert errors[300] < 0.8 * errors[0]


def test_the_kept_images_are_an_even_sample_of_all_seen() -> None:
    counts = np.zeros(100)
    for seed in range(200):
        kept = Replay(10, seed)
        for start in range(0, 100, 20):
            pixels = np.arange(start, start + 20, dtype=np.float32).reshape(20, 1, 1)
            kept.take(from_array(pixels))
        assert kept.seen == 100
        assert kept._kept is not None
        values = np.asarray(kept._kept.pixels).ravel().astype(int)
        assert len(set(values.tolist())) == 10
        counts[values] += 1
    fifths = counts.reshape(5, 20).sum(1)  # 2,000 draws: 400 expected in each, standard deviation below 18
    assert np.abs(fifths - 400).max() < 90


def test_images_of_another_shape_are_refused() -> None:
    model = ConvAutoencoder(4, options=TINY).partial_fit(IMAGES[:20])
    with pytest.raises(UserError, match=r"images have the shape \(8, 7\), but fit saw \(8, 8\)"):
        model.partial_fit(IMAGES[:20, :, :7])
