from __future__ import annotations

import torch

from latentia.core.noise import Noise
from latentia.data.imageset import PixelFormat, from_array
from latentia.presets import design
from latentia.tasks.kept_mixture import FILE, mixture_of_run
from latentia.training.storage import save_model

IMAGES = from_array((Noise(0, torch.arange(30), "images").uniform(1, 8, 8) * 255).byte().numpy())


def never():
    raise AssertionError("the kept mixture was to be used")


def test_it_is_fitted_once_and_again_when_the_model_or_the_file_has_changed(tmp_path):
    architecture = design("cae", {"widths": "8x8", "latent_dim": 3}).architecture
    model = architecture.build(PixelFormat(1, 8, 8, "uint8", 0, 255), seed=0)
    save_model(tmp_path, model)
    first = mixture_of_run(tmp_path, model, lambda: IMAGES)
    assert torch.equal(mixture_of_run(tmp_path, model, never).means, first.means)
    other = mixture_of_run(tmp_path, model, lambda: IMAGES.select(range(10)), refit=True)
    assert not torch.equal(other.means, first.means)
    (tmp_path / FILE).write_bytes(b"damaged")
    assert torch.equal(mixture_of_run(tmp_path, model, lambda: IMAGES).means, first.means)
    changed = architecture.build(PixelFormat(1, 8, 8, "uint8", 0, 255), seed=1)
    save_model(tmp_path, changed)
    assert not torch.equal(mixture_of_run(tmp_path, changed, lambda: IMAGES).means, first.means)
