from __future__ import annotations

import dataclasses
import math

import pytest
import torch

from latentia.core.noise import Noise
from latentia.data.imageset import PixelFormat
from latentia.parts import PENALTIES
from latentia.parts.base import View
from latentia.parts.code import Code
from latentia.presets import design

PIXELS = Noise(0, torch.arange(4), "pixels").uniform(1, 8, 8)


@pytest.fixture(scope="module")
def model():
    made = design("cae", {"latent_dim": 3, "widths": "8x8"})
    return made.architecture.build(PixelFormat(1, 8, 8, "float32", 0, 1), seed=1)


def view(model, pixels=PIXELS, seed=0):
    return View(model, pixels, pixels, None, Noise(seed, torch.arange(len(pixels)), "code"), 1.0, {})


def test_exact_contractive_penalty_is_the_jacobians_squared_norm(model):
    found = PENALTIES.make("contractive:probes=0")(view(model), Code(torch.zeros(4, 3)))
    for index in range(4):
        jacobian = torch.autograd.functional.jacobian(lambda image: model.encode(image).z[0], PIXELS[index : index + 1])
        assert float(found[index].detach()) == pytest.approx(float(jacobian.square().sum()), rel=1e-4)


def test_estimated_contractive_penalty_has_the_exact_one_as_its_mean(model):
    many = PIXELS[:1].expand(3000, -1, -1, -1)
    with torch.no_grad():
        exact = PENALTIES.make("contractive:probes=0")(view(model), None)[0]
        estimates = PENALTIES.make("contractive:probes=2")(view(model, many), None)
    assert abs(float(estimates.mean() - exact)) < 5 * float(estimates.std()) / math.sqrt(3000)


def test_l1():
    code = Code(torch.tensor([[3.0, -4.0, 0.0], [0.0, 0.0, 0.0]]))
    assert torch.equal(PENALTIES.make("l1:relative=false")(None, code), torch.tensor([7.0, 0.0]))
    relative = PENALTIES.make("l1")(None, code)
    assert float(relative[0]) == pytest.approx(7 / 5)
    scaled = PENALTIES.make("l1")(None, dataclasses.replace(code, z=code.z * 100))
    assert float(scaled[0]) == pytest.approx(7 / 5), "small codes and large weights do not escape it"


def test_mmd_is_zero_on_average_for_codes_from_the_prior_and_grows_with_their_distance(model):
    mmd = PENALTIES.make("mmd")
    values = {shift: [] for shift in (0.0, 0.5, 1.0)}
    for seed in range(40):
        seen = view(model, PIXELS[:1].expand(64, -1, -1, -1), seed)
        drawn = Noise(seed, torch.arange(64), "codes").normal(3)
        for shift, found in values.items():
            found.append(float(mmd(seen, Code(drawn + shift))))
    centre = torch.tensor(values[0.0])
    assert abs(float(centre.mean())) < 5 * float(centre.std()) / math.sqrt(40)
    means = [sum(found) / 40 for found in values.values()]
    assert means[2] > means[1] > means[0] + 5 * float(centre.std()) / math.sqrt(40)


def test_mmd_of_a_single_image_is_nothing(model):
    code = Code(torch.zeros(1, 3, requires_grad=True))
    value = PENALTIES.make("mmd")(view(model, PIXELS[:1]), code)
    value.backward()
    assert float(value.detach()) == 0.0
