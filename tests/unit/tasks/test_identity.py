from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from latentia.core.errors import UserError
from latentia.core.noise import Noise
from latentia.data.imageset import PixelFormat, from_array
from latentia.presets import design
from latentia.tasks.identity import identity_score, probes, score_of

IDS = torch.arange(40)
PIXELS = Noise(0, IDS, "images").uniform(2, 8, 10)
BATCHES = [(PIXELS[:25], IDS[:25]), (PIXELS[25:], IDS[25:])]
MEAN = PIXELS.mean(0)


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (lambda x: x, 1.0),
        (lambda x: x + MEAN, 1.0),
        (lambda x: MEAN.expand_as(x), 0.0),
        (lambda x: torch.zeros_like(x), 0.0),
        (lambda x: x / 2, 0.75),
        (lambda x: -x, -3.0),
    ],
)
def test_planted_faults(function, expected):
    found = score_of(function, BATCHES)
    assert found.noise == pytest.approx(expected, abs=1e-6)
    assert found.foreign == pytest.approx(expected, abs=1e-6)
    assert found.score == pytest.approx(expected, abs=1e-6)
    assert found.count == 40


def test_a_projection_counts_its_directions():
    torch.manual_seed(0)
    basis = torch.linalg.qr(torch.randn(160, 40))[0]
    # of centred white noise: the foreign probe's images are shuffled uniform noise
    found = score_of(lambda x: (x.flatten(1) @ basis @ basis.T).view_as(x), BATCHES)
    assert found.foreign == pytest.approx(40 / 160, abs=0.03)


def test_the_order_and_size_of_batches_do_not_matter():
    whole = score_of(torch.sin, [(PIXELS, IDS)], seed=3)
    parts = score_of(torch.sin, [(PIXELS[30:], IDS[30:]), (PIXELS[:30], IDS[:30])], seed=3)
    assert parts.score == pytest.approx(whole.score, abs=1e-9)


def test_the_probes_stay_in_the_range_and_keep_what_they_say():
    made = probes(PIXELS, Noise(0, IDS, "identity"))
    clean, spoilt = made["noise"]
    assert torch.equal(clean, PIXELS)
    assert float((spoilt != clean).float().mean()) == pytest.approx(0.5, abs=0.02)
    first, second = made["foreign"]
    assert torch.equal(first.flatten(2).sort(2).values, PIXELS.flatten(2).sort(2).values)
    assert not torch.equal(first, second)
    assert all(float(image.min()) >= 0 and float(image.max()) <= 1 for image in (spoilt, first, second))


def test_any_model_can_be_judged():
    images = from_array((PIXELS.numpy() * 65535).astype(np.uint16))
    model = design("cae", {"widths": "8", "latent_dim": 4}).architecture.build(
        PixelFormat(2, 8, 10, "uint16", 0, 65535), seed=0
    )
    found = identity_score(model.train(), images)
    assert abs(found.score) < 0.2 and model.training
    assert found.verdict == "healthy"
    assert "identity score" in str(found) and found.to_json()["verdict"] == "healthy"
    with pytest.raises(UserError, match="there is only one: give two or more"):
        identity_score(model, images.select([0]))


def test_the_recipe(tmp_path, capsys):
    path = Path(__file__).parents[3] / "recipes" / "identity.py"
    spec = importlib.util.spec_from_file_location("identity_recipe", path)
    recipe = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(recipe)
    scores = recipe.main("digits", epochs=12, seeds=1, images=2000, output=tmp_path / "identity.png")
    assert scores["cae"][0].score > scores["dae"][0].score + 0.1
    assert "cae: identity score" in capsys.readouterr().out
    with Image.open(tmp_path / "identity.png") as picture:
        assert picture.width > 600
