"""One battery over everything registered: a part is tested the moment its file exists."""

from __future__ import annotations

import subprocess
import sys

import battery
import pytest
import torch

from latentia.parts import AUGMENTATIONS, CORRUPTIONS, KINDS, LIKELIHOODS, PENALTIES, PRIORS

EVERY = [
    pytest.param(registry, name, id=f"{kind}-{name}") for kind, registry in KINDS.items() for name in registry.names()
]
HOSTED = [case for case in EVERY if case.values[0].kind in battery.HOSTS]  # those that an autoencoder is made of
by_shape = pytest.mark.parametrize("shape", battery.SHAPES, ids=lambda shape: "x".join(map(str, shape)))


@pytest.mark.parametrize(("registry", "name"), EVERY)
def test_spec(registry, name):
    battery.check_spec(registry, name)


@by_shape
@pytest.mark.parametrize(("registry", "name"), HOSTED)
def test_shapes_and_terms(registry, name, shape):
    made = battery.hosted(registry.make(name))
    battery.check_shapes(made, shape)
    battery.check_terms(made, shape)


@pytest.mark.parametrize(("registry", "name"), HOSTED)
def test_gradients_reach_every_parameter(registry, name):
    battery.check_gradients(battery.hosted(registry.make(name)), (3, 17, 13))


@pytest.mark.parametrize(("registry", "name"), HOSTED)
def test_evaluation_is_deterministic(registry, name):
    battery.check_evaluation(battery.hosted(registry.make(name)), (3, 17, 13))


@pytest.mark.parametrize(("registry", "name"), HOSTED)
def test_saved_and_loaded_agree(registry, name, tmp_path):
    battery.check_saved(battery.hosted(registry.make(name)), (3, 17, 13), tmp_path)


@by_shape
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("name", CORRUPTIONS.names())
def test_corruption(name, dtype, shape):
    battery.check_corruption(CORRUPTIONS.make(name), shape, dtype)


@by_shape
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("name", AUGMENTATIONS.names())
def test_augmentation(name, dtype, shape):
    battery.check_augmentation(AUGMENTATIONS.make(name), shape, dtype)


@by_shape
@pytest.mark.parametrize("name", LIKELIHOODS.names())
def test_likelihood(name, shape):
    battery.check_likelihood(LIKELIHOODS.make(name), shape)


@pytest.mark.parametrize("code_shape", [(6,), (2, 2, 2)], ids=["vector", "spatial"])
@pytest.mark.parametrize("name", PRIORS.names())
def test_prior(name, code_shape):
    battery.check_prior(PRIORS.make(name), (1, 8, 8), code_shape)


@pytest.mark.parametrize("name", PENALTIES.names())
def test_penalty(name):
    battery.check_penalty(PENALTIES.make(name), (1, 9, 8))


def test_parts_are_described_without_torch():
    code = (
        "import sys\n"
        "from latentia.parts import KINDS\n"
        "for registry in KINDS.values():\n"
        "    for name in registry.names():\n"
        "        assert registry.describe(name).summary, name\n"
        "from latentia.presets import PRESETS\n"
        "assert all(preset.summary for preset in PRESETS.values())\n"
        "assert 'torch' not in sys.modules and 'numpy' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
