"""One task done in several ways: intervals that cover, differences that are paired, verdicts that say what was found."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
from scipy.stats import binom

from latentia.tasks.baseline_words import headline, verdict
from latentia.tasks.baselines import Baselines
from latentia.tasks.trial import LEAST, Measured, Trial, trial

RANDOM = np.random.default_rng(0)
HARD = RANDOM.gamma(2.0, size=400)  # how hard each image is, for every way


def errors(*means: float, noise: float = 0.01, count: int = 400) -> list[Measured]:
    names = ["this model", "PCA-4", "mean image", "other"]
    values = [mean * HARD[:count] / HARD[:count].mean() + RANDOM.normal(0, noise, count) for mean in means]
    return [Measured(name, each, 1.0, 0.1) for name, each in zip(names, values, strict=False)]


def right(*shares: float, count: int) -> list[Measured]:
    return [
        Measured(name, (np.arange(count) < round(share * count)).astype(float), 0.0, 0.0)
        for name, share in zip(("this model", "raw pixels", "PCA-4"), shares, strict=False)
    ]


def test_figures_and_differences_are_those_of_the_images() -> None:
    measured = errors(1.0, 1.5, 3.0)
    found = trial("reconstruction", "squared error", measured, higher=False)
    assert [way.value for way in found.ways] == pytest.approx([each.values.mean() for each in measured])
    assert found.rival.name == "PCA-4" and found.rival.gain == pytest.approx(found.ways[0].value - found.rival.value)
    assert found.rival.gain_low < found.rival.gain < found.rival.gain_high < 0
    # images differ far more from one another than the ways do: a difference is judged image by image
    single = found.model.high - found.model.low
    assert found.rival.gain_high - found.rival.gain_low < 0.7 * single


@pytest.mark.parametrize(
    ("means", "outcome", "words"),
    [
        ((1.0, 1.5), "bought", "training bought 33% less squared error than PCA-4: 1 against 1.5"),
        ((1.5, 1.0), "worse", "better without training, by PCA-4"),
        ((1.0, 1.001), "as well", "no need to train for this, since PCA-4 is as good"),
    ],
)
def test_verdicts(means: tuple[float, float], outcome: str, words: str) -> None:
    found = trial("reconstruction", "squared error", errors(*means), higher=False)
    assert found.outcome == outcome
    assert verdict(found).startswith(words)


def test_what_cannot_be_told_is_not_told() -> None:
    noisy = trial("x", "squared error", errors(1.0, 1.05, noise=1.0, count=30), higher=False)
    assert noisy.outcome == "not told" and "no difference to PCA-4 can be told" in verdict(noisy)
    few = trial("x", "squared error", errors(1.0, 9.0, count=4), higher=False)
    assert few.outcome == "too few" and np.isnan(few.model.low)
    assert verdict(few) == "4 image(s) are too few to tell the model from PCA-4: it takes 20"
    assert trial("x", "squared error", errors(1.0, 9.0, count=19), higher=False).outcome == "too few"
    assert trial("x", "squared error", errors(1.0, 9.0, count=20), higher=False).outcome == "bought"


def test_the_interval_of_the_fewest_images_covers_nearly_what_it_says() -> None:
    inside = 0
    for number in range(300):
        values = np.random.default_rng(number).gamma(2.0, size=LEAST)
        found = trial("x", "error", [Measured("m", values, 0, 0), Measured("p", values, 0, 0)], higher=False).model
        inside += found.low <= 2.0 <= found.high
    assert inside / 300 > 0.92


def test_answers_that_are_all_right_still_leave_doubt() -> None:
    small = trial("classes", "accuracy", right(1.0, 1.0, count=20), higher=True, margin=0.01)
    assert (small.model.high, small.outcome) == (1.0, "not told")
    assert 0.8 < small.model.low < 0.9
    large = trial("classes", "accuracy", right(1.0, 1.0, count=2000), higher=True, margin=0.01)
    assert large.outcome == "as well"
    never = trial("classes", "accuracy", right(0.0, 1.0, count=20), higher=True, margin=0.01)
    assert never.model.low == 0.0 and never.model.high > 0.1 and never.outcome == "worse"


def test_who_knows_more_is_no_rival() -> None:
    measured = errors(1.0, 1.5, 0.2)
    measured[2] = dataclasses.replace(measured[2], told=True)
    found = trial("denoising", "squared error", measured, higher=False)
    assert found.rival.name == "PCA-4" and found.outcome == "bought" and len(found.ways) == 3


def test_a_figure_of_the_whole_set_is_resampled_and_not_moved() -> None:
    def distinct(places: np.ndarray) -> float:  # falls when images are drawn twice
        return len(np.unique(places)) / 100

    measured = [Measured("this model", np.zeros(100), 0, 0, distinct), Measured("PCA-4", np.zeros(100), 0, 0, distinct)]
    found = trial("groups", "NMI", measured, higher=True, margin=0.01)
    assert found.model.low < found.model.value < found.model.high
    assert found.rival.gain == found.rival.gain_low == found.rival.gain_high == 0


def test_the_paired_interval_covers_the_difference() -> None:
    inside = 0
    for number in range(100):
        random = np.random.default_rng(number)
        common = random.gamma(2.0, size=60)
        ways = [
            Measured(name, common * factor + random.normal(size=60), 0, 0) for name, factor in (("m", 1.0), ("p", 1.2))
        ]
        rival = trial("x", "error", ways, higher=False, seed=number).rival
        inside += rival.gain_low <= 2.0 * (1.0 - 1.2) <= rival.gain_high
    assert inside >= binom.ppf(0.001, 100, 0.95)


def test_results_come_back_from_json() -> None:
    trials: tuple[Trial, ...] = (
        trial("reconstruction", "squared error", errors(1.0, 1.5, 3.0), higher=False, notes=["a note"]),
        trial("classes", "accuracy", right(0.9, 0.5, count=5), higher=True, margin=0.01),
    )
    found = Baselines("cae on digits", "images", 400, "others", trials, (("denoising", "no noise"),), "digest")
    text = json.dumps(found.to_json(), allow_nan=False)
    again = Baselines.from_json(json.loads(text))
    assert again.to_json() == found.to_json() and str(again) == str(found)
    assert headline(found) == (
        "all in all: training helps: reconstruction (squared error); too few images to tell: classes (accuracy)"
    )
    assert "left out, denoising: no noise" in str(found)
