"""The same battery over every preset, and what only whole autoencoders can do: learn, and give back a dtype."""

from __future__ import annotations

import json

import battery
import numpy as np
import pytest
import torch

from latentia.data.imageset import from_array
from latentia.objective import Objective
from latentia.presets import PRESETS, design
from latentia.tasks.reconstruct import reconstruct

every_preset = pytest.mark.parametrize("name", PRESETS)
by_shape = pytest.mark.parametrize("shape", battery.SHAPES, ids=lambda shape: "x".join(map(str, shape)))


def made(name):
    return battery.small(design(name))


@pytest.fixture(scope="module")
def digits():
    from latentia.data.load import load

    return torch.from_numpy(load("digits").pixels[:16].astype(np.float32) / 255)


@every_preset
def test_summary_has_a_source(name):
    summary = PRESETS[name].summary
    assert any(character.isdigit() for character in summary), "the year of a paper"
    assert "\n" not in summary


@every_preset
def test_default_size_takes_mnist_sized_images(name):
    model = battery.built(design(name), (1, 28, 28)).eval()
    pixels = battery.images((1, 28, 28), 2)
    with torch.no_grad():
        assert model(pixels).shape == pixels.shape


@every_preset
def test_objective_comes_back_from_json(name):
    objective = design(name).objective
    assert Objective.from_json(json.loads(json.dumps(objective.to_json()))) == objective


@by_shape
@every_preset
def test_shapes_and_terms(name, shape):
    battery.check_shapes(made(name), shape)
    battery.check_terms(made(name), shape)


@every_preset
def test_gradients_reach_every_parameter(name):
    battery.check_gradients(made(name), (1, 8, 8))


@every_preset
def test_evaluation_is_deterministic(name):
    battery.check_evaluation(made(name), (1, 8, 8))


@every_preset
def test_saved_and_loaded_agree(name, tmp_path):
    battery.check_saved(made(name), (5, 9, 8), tmp_path)


@every_preset
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_pixels_come_back_as_they_went_in(name, dtype):
    high = 1.0 if dtype == "float32" else float(np.iinfo(dtype).max)
    pixels = (battery.images((3, 17, 13), 3).numpy() * high).astype(dtype)
    model = battery.built(made(name), (3, 17, 13), dtype, high)
    result = reconstruct(model, from_array(pixels)).images
    assert result.pixels.shape == pixels.shape
    assert result.pixels.dtype == pixels.dtype


@every_preset
def test_learns_a_handful_of_digits(name, digits):
    chosen = made(name)
    model = battery.built(chosen, (1, 8, 8))
    before = figures(chosen, model, digits)
    battery.train(chosen, model, digits, steps=60, rate=1e-2)
    after = figures(chosen, model, digits)
    assert after["loss"] < before["loss"]
    assert after["mse"] < 0.75 * before["mse"]


def figures(chosen, model, pixels):
    model.eval()
    terms = chosen.objective.evaluate(model, pixels, None, battery.noise(len(pixels), "judge"))
    return {name: float(values.mean()) for name, values in terms.items()}


def test_only_changed_pixels_count_where_they_are_the_target():
    chosen = battery.small(design("mae", {"target": "changed"}))
    model = battery.built(chosen, (1, 8, 8)).eval()
    pixels = battery.images((1, 8, 8))
    masked, changed = chosen.objective.corruption(pixels, battery.noise().fork("corruption"))
    assert 0 < changed.float().mean() < 1
    loss = chosen.objective(model, pixels, None, battery.noise())["loss"]
    parameters = model.decode_parameters(model.encode(masked).z)
    by_hand = -(model.likelihood.log_prob(parameters, pixels) * changed).sum((1, 2, 3))
    assert torch.allclose(loss, by_hand, rtol=1e-5)
