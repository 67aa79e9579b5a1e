from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch

from latentia.core.errors import UserError
from latentia.core.noise import Noise
from latentia.data.imageset import PixelFormat, from_array
from latentia.presets import design
from latentia.tasks.classical import biharmonic, classical_answers, median, noise_of, non_local_means, total_variation
from latentia.tasks.compare import Comparison, need_partners
from latentia.tasks.denoise import denoise
from latentia.tasks.quality import psnr, quality, ssim
from latentia.tasks.tiles import ramp, starts, tiled


def drawn(count=3, channels=2, height=20, width=30):
    return Noise(0, torch.arange(count), "images").uniform(channels, height, width)


def model_of(preset="dae", channels=2, **options):
    made = design(preset, {"widths": "8x8", "latent_dim": 4, **options})
    return made.architecture.build(PixelFormat(channels, 16, 16, "uint8", 0, 255), seed=1)


@pytest.mark.parametrize("overlap", [0, 1, 5, 15])
@pytest.mark.parametrize("size", [(40, 57), (16, 40), (9, 7), (17, 16)])
def test_tiles_leave_no_seams_where_single_pixels_decide(size, overlap):
    image = drawn(1, 2, *size)[0]
    seen = []

    def function(batch):
        seen.append(batch.shape)
        return batch * 2 + 1

    assert torch.allclose(tiled(function, image, 16, overlap), image * 2 + 1, atol=1e-5)
    assert all(max(shape[2:]) <= 16 for shape in seen)


def test_tiles_cover_the_side_and_overlap():
    for side in range(16, 200):
        places = starts(side, 16, 4)
        assert places[0] == 0 and places[-1] == side - 16
        assert all(16 - (b - a) >= 3 for a, b in pairwise(places))
        aligned = starts(side, 16, 4, multiple=4)
        assert all(place % 4 == 0 for place in aligned[:-1]) and aligned[-1] == side - 16
        assert all(b - a <= 16 for a, b in pairwise(aligned)), "no pixel is left out"
    weights = ramp(16, 4, torch.zeros(1))
    assert weights.tolist() == pytest.approx([0.2, 0.4, 0.6, 0.8, *[1] * 8, 0.8, 0.6, 0.4, 0.2])


def test_tiled_is_near_the_whole():
    model = model_of(channels=1)
    image = from_array((drawn(1, 1, 100, 92) * 255).byte().numpy())
    whole, parts = denoise(model, image, tile=128), denoise(model, image, tile=48)
    assert np.abs(whole.pixels.astype(int) - parts.pixels).max() <= 2
    assert whole.pixels.shape == image.pixels.shape


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
@pytest.mark.parametrize("size", [(5, 3), (20, 31), (70, 33)])
def test_any_size_and_dtype_comes_back(dtype, size):
    pixels = drawn(3, 2, *size).numpy() * (1 if dtype == "float32" else np.iinfo(dtype).max)
    images = from_array(np.ascontiguousarray(pixels).astype(dtype), names=["a", "b", "c"])
    restored = denoise(model_of(), images, tile=32)
    assert restored.pixels.shape == images.pixels.shape
    assert str(restored.pixels.dtype) == dtype
    assert list(restored.names) == ["a", "b", "c"]
    assert restored.pixels.std() > 0


def test_nothing_is_corrupted_further():
    model = model_of()
    images = from_array((drawn(4, 2, 16, 16) * 255).byte().numpy())
    with torch.no_grad():
        expected = model(torch.from_numpy(images.pixels).float() / 255) * 255
    assert np.abs(denoise(model, images).pixels - expected.numpy()).max() <= 0.501


def test_psnr_and_ssim():
    clean = drawn(2, 1, 24, 24).numpy()
    assert psnr(clean, clean + np.float32(0.1)) == pytest.approx([20.0, 20.0], abs=1e-3)
    assert psnr(clean, clean) == pytest.approx([120, 120])
    pytest.importorskip("skimage")
    for images in (clean, clean[..., :8, :8], clean[..., :3, :5]):
        assert ssim(images, images) == pytest.approx([1, 1])
        assert (ssim(images, 1 - images) < 0.5).all()
    assert np.isnan(ssim(clean[..., :2], clean[..., :2])).all()


def test_the_noise_is_estimated():
    image = np.full((1, 200, 200), 0.5, dtype=np.float32)
    image += 0.1 * Noise(0, torch.arange(1), "n").normal(200, 200).numpy()
    assert noise_of(image) == pytest.approx(0.1, rel=0.03)


def scene(size=32):
    rows, columns = np.indices((size, size)) / size
    return np.where((rows - 0.5) ** 2 + (columns - 0.5) ** 2 < 0.1, 0.8, 0.2 + 0.2 * columns).astype(np.float32)[None]


def test_each_classical_way_removes_noise():
    pytest.importorskip("skimage")
    clean = np.stack([scene()] * 2)
    noisy = np.clip(clean + 0.1 * Noise(0, torch.arange(2), "n").normal(1, 32, 32).numpy(), 0, 1)
    for way in (median, total_variation, non_local_means):
        assert way(noisy).shape == noisy.shape
        assert (psnr(clean, way(noisy)) > psnr(clean, noisy) + 2).all(), way.__name__
    lost = np.zeros(clean.shape, dtype=bool)
    lost[..., ::3, ::3] = True
    filled = biharmonic(np.where(lost, 0, clean).astype(np.float32), lost)
    assert (psnr(clean, filled) > 25).all()
    assert np.array_equal(filled[~lost], clean[~lost])
    assert (psnr(clean.repeat(3, 1), non_local_means(noisy.repeat(3, 1))) > psnr(clean, noisy) + 2).all()
    answers = classical_answers(noisy, clean, np.broadcast_to(lost[:1, :1], clean.shape))
    assert list(answers) == ["median", "total variation", "non-local means", "biharmonic filling"]


def test_the_table_names_the_winner():
    clean = drawn(4, 1, 12, 12).numpy()
    table = quality(clean, {"as given": clean * 0.5, "this model": clean * 0.9}, ["a note"])
    assert table.winner == "this model"
    assert "highest PSNR: this model\na note" in str(table)
    assert table.to_json()["rows"]["this model"]["psnr"] > table.to_json()["rows"]["as given"]["psnr"]


def test_what_does_not_fit_is_one_sentence():
    images = from_array(np.zeros((2, 20, 20), dtype=np.uint8))
    with pytest.raises(UserError, match="the tile is 8, but it must be at least 16 pixels"):
        denoise(model_of(channels=1), images, tile=8)
    with pytest.raises(UserError, match=r"'000001' of array has no clean image of the same name"):
        need_partners(images, images.select([0]), "clean")
    smaller = from_array(np.zeros((2, 10, 20), dtype=np.uint8))
    with pytest.raises(UserError, match="has another size than its noisy partner"):
        Comparison(model_of(channels=1), clean=smaller).add(images, images)
    with pytest.raises(UserError, match=r"has 2 channels, but the noisy images do not"):
        Comparison(model_of(channels=1), clean=from_array(np.zeros((2, 2, 20, 20), np.uint8))).add(images, images)
