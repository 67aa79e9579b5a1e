"""Where training begins: at the images' mean, and not at a place it cannot leave."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from latentia import train
from latentia.data.imageset import ImageSet, PixelFormat, from_array
from latentia.parts import DECODERS, LIKELIHOODS
from latentia.presets import design
from latentia.training.initial import initial_model
from latentia.training.schedule import factor


def dark(count: int = 64, channels: int = 1, high: int = 255) -> ImageSet:
    """Return images that are black but for one bright square each, at a place of its own."""
    random = np.random.default_rng(0)
    pixels = np.zeros((count, channels, 16, 16), dtype=np.uint8)
    for image in pixels:
        top, left = random.integers(0, 12, 2)
        image[:, top : top + 4, left : left + 4] = high
    return from_array(pixels)


@pytest.mark.parametrize("likelihood", LIKELIHOODS.names())
@pytest.mark.parametrize("decoder", DECODERS.names())
def test_a_model_begins_at_the_mean_of_each_channel(decoder, likelihood):
    images = dark(channels=2)
    images.pixels[:, 1] = 255 - images.pixels[:, 1]
    chosen = design("cae", {"encoder": decoder, "likelihood": likelihood})
    model = initial_model(chosen.architecture, images, seed=0)
    with torch.no_grad():
        parameters = model.decode_parameters(torch.randn(64, *model.code_shape))
    wanted = model.likelihood.parameters_at(torch.tensor([1 / 16, 15 / 16]))
    found = parameters.mean(dim=(0, 2, 3))
    assert torch.allclose(found, wanted, atol=0.2)
    assert model.likelihood.channels(2) == len(wanted)


def test_the_mean_is_that_of_pixels_between_low_and_high():
    pixels = np.full((3, 1, 8, 8), 1000, dtype=np.uint16)
    images = ImageSet(pixels, list("abc"), np.arange(3))
    assert images.format == PixelFormat(1, 8, 8, "uint16", 0, 65535)
    model = initial_model(design("cae").architecture, images, seed=0)
    assert torch.allclose(model.decoder.output_bias, torch.logit(torch.tensor([1000 / 65535])), atol=1e-4)


@pytest.mark.parametrize("options", [{}, {"encoder": "residual:blocks=1"}])
def test_a_wide_network_on_dark_images_does_not_end_in_black(options, tmp_path):
    images = dark()
    run = train(
        images,
        "dae",
        runs=tmp_path,
        epochs=30,
        batch_size=16,
        figures=False,
        quiet=True,
        widths="32,128",
        latent_dim=128,
        **options,
    )
    black = float(np.square(images.pixels / 255.0).mean())
    assert run.history[-1]["train"]["reconstruction"] - 128 * np.log(np.pi) < 0.7 * black * 256


def test_short_trainings_warm_up_over_a_tenth_and_long_ones_over_their_share():
    assert factor("constant", 9, 100, 0.02) < 1 == factor("constant", 10, 100, 0.02)
    assert factor("constant", 99, 2000, 0.02) < 1 == factor("constant", 100, 2000, 0.02)
    assert factor("constant", 199, 10_000, 0.02) < 1 == factor("constant", 200, 10_000, 0.02)
    assert factor("constant", 0, 100, 0.0) == 1
