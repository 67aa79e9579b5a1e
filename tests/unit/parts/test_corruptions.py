from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from latentia.core.errors import UserError
from latentia.core.noise import Noise
from latentia.parts import AUGMENTATIONS, CORRUPTIONS

COUNT = 400
PIXELS = 0.25 + 0.5 * Noise(0, torch.arange(COUNT), "pixels").uniform(3, 13, 10)


def corrupt(text, pixels=PIXELS, seed=0):
    return CORRUPTIONS.make(text)(pixels, Noise(seed, torch.arange(len(pixels)), "corruption"))


def near(share, p, count):
    return abs(float(share) - p) < 5 * math.sqrt(max(p * (1 - p), 1e-9) / count)


@pytest.mark.parametrize("p", [0.0, 0.3, 0.5, 1.0])
def test_mask_zeroes_with_its_probability_and_does_not_rescale(p):
    corrupted, changed = corrupt(f"mask:p={p}")
    assert near(changed.double().mean(), p, changed.numel())
    assert torch.equal(corrupted, PIXELS * ~changed)


@pytest.mark.parametrize("name", ["mask", "salt-and-pepper"])
def test_channels_share_a_fate_on_request(name):
    _, alone = corrupt(name)
    _, shared = corrupt(f"{name}:share=true")
    assert not torch.equal(alone[:, 0], alone[:, 1])
    assert torch.equal(shared[:, 0], shared[:, 1])


def test_gaussian_adds_noise_of_its_deviation():
    corrupted, changed = corrupt("gaussian:sigma=0.2")
    added = (corrupted - PIXELS).double()
    assert abs(float(added.mean())) < 5 * 0.2 / math.sqrt(added.numel())
    assert float(added.std()) == pytest.approx(0.2, rel=0.01)
    assert bool(changed.all())
    assert corrupted.min() < 0 or corrupted.max() > 1
    clipped, _ = corrupt("gaussian:sigma=0.2,clip=true")
    assert torch.equal(clipped, corrupted.clamp(0, 1))
    untouched, nothing = corrupt("gaussian:sigma=0")
    assert torch.equal(untouched, PIXELS) and not bool(nothing.any())


def test_salt_and_pepper_shares():
    corrupted, changed = corrupt("salt-and-pepper:p=0.4,salt=0.25")
    assert near(changed.double().mean(), 0.4, changed.numel())
    assert near((corrupted == 1).double().mean(), 0.1, changed.numel())
    assert near((corrupted == 0).double().mean(), 0.3, changed.numel())


def test_blocks_are_rectangles_of_the_sizes_asked_for():
    _, changed = corrupt("blocks:low=0.2,high=0.6")
    hole = changed[:, 0]
    rows, columns = hole.any(2), hole.any(1)
    assert torch.equal(hole, rows.unsqueeze(2) & columns.unsqueeze(1))
    heights, widths = rows.sum(1), columns.sum(1)
    assert (int(heights.min()), int(heights.max())) == (3, 8)
    assert (int(widths.min()), int(widths.max())) == (2, 6)
    assert bool(rows.any(0).all() and columns.any(0).all()), "every place may be hit"
    _, several = corrupt("blocks:count=3")
    assert several.float().mean() > corrupt("blocks:count=1")[1].float().mean()


@pytest.mark.parametrize(("size", "ratio"), [(4, 0.75), (3, 0.5), (1, 0.5), (20, 1.0), (4, 0.0)])
def test_patches_mask_an_exact_share_of_the_grid(size, ratio):
    _, changed = corrupt(f"patches:size={size},ratio={ratio}")
    grid = changed[:, 0, ::size, ::size]
    assert torch.equal(grid.flatten(1).sum(1), torch.full((COUNT,), round(ratio * grid[0].numel())))
    whole = grid.repeat_interleave(size, 1).repeat_interleave(size, 2)[:, :13, :10]
    assert torch.equal(changed, whole.unsqueeze(1).expand_as(changed))


def test_blur_is_scipys_gaussian_filter():
    from scipy.ndimage import gaussian_filter

    corrupted, _ = corrupt("blur:low=0.8,high=0.8", PIXELS[:4])
    expected = gaussian_filter(PIXELS[:4].numpy(), (0, 0, 0.8, 0.8), mode="nearest", radius=(0, 0, 3, 3))
    assert np.allclose(corrupted.numpy(), expected, atol=1e-5)
    little, much = (corrupt(f"blur:low={sigma},high={sigma}")[0].std() for sigma in (0.5, 2.0))
    assert much < little < PIXELS.std()


def test_chain_applies_its_steps_in_order():
    corrupted, changed = corrupt("chain:steps=(gaussian:sigma=0.1+mask:p=0.3,share=true)")
    step = Noise(0, torch.arange(COUNT), "corruption")
    noisy, _ = CORRUPTIONS.make("gaussian:sigma=0.1")(PIXELS, step.fork(0))
    masked, _ = CORRUPTIONS.make("mask:p=0.3")(noisy, step.fork(1))
    assert bool(changed.all())
    assert not torch.equal(corrupted, masked), "with share=true the mask is another"
    whole, _ = corrupt("chain:steps=gaussian:sigma=0.1+mask:p=0.3")
    assert torch.equal(whole, masked)
    union = CORRUPTIONS.make("chain", steps="mask:p=0.2,share=true+blocks:count=2")
    _, mask = union(PIXELS, step)
    first, second = (
        CORRUPTIONS.make(text)(PIXELS, step.fork(place))[1]
        for place, text in enumerate(("mask:p=0.2,share=true", "blocks:count=2"))
    )
    assert torch.equal(mask, first | second)


def test_warp_moves_pixels_as_its_augmentations_do_and_images_each_their_own_way():
    still, changed = corrupt("warp:steps=shift:reach=0")
    assert torch.allclose(still, PIXELS, atol=1e-5) and bool(changed.all())
    moved, _ = corrupt("warp:steps=rotation+shift")
    own = Noise(0, torch.arange(COUNT), "corruption")
    assert torch.equal(moved, AUGMENTATIONS.make("chain:steps=rotation+shift")(PIXELS, own))
    alike, _ = corrupt("warp", PIXELS[:1].expand(3, -1, -1, -1))
    assert not torch.equal(alike[0], alike[1]) and not torch.equal(alike[1], alike[2])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("warp:steps=fog", "there is no augmentation called 'fog'"),
        ("blocks:low=0.6", "blocks.low is 0.6, but it must be above 0 and at most high"),
        ("patches:size=0", "patches.size is 0, but it must be at least 1"),
        ("gaussian:sigma=-1", "gaussian.sigma is -1.0, but it must be 0 or more"),
        ("chain:steps=fog", "there is no corruption called 'fog'"),
        ("chain:steps=mask:p=7", "mask.p is 7.0, but it must be between 0 and 1"),
        ("chain:steps=chain", "a chain cannot hold a chain: name its steps themselves"),
    ],
)
def test_errors(text, message):
    with pytest.raises(UserError, match=message):
        CORRUPTIONS.make(text)
