"""What the battery cannot know of augmentations: where pixels go, and how far."""

from __future__ import annotations

import pytest
import torch

from latentia.core.errors import UserError
from latentia.core.noise import Noise
from latentia.parts import AUGMENTATIONS


def noise(count: int, *address: str) -> Noise:
    return Noise(0, torch.arange(count), "test", *address)


def picture(count: int = 1, height: int = 21, width: int = 31) -> torch.Tensor:
    """Return a smooth bump off the centre, so that a place can be told by its centre of mass."""
    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    bump = torch.exp(-((y - height / 2).square() + (x - width / 2 + 3).square()) / 8.0)
    return bump.expand(count, 1, height, width).contiguous()


def centre(pixels: torch.Tensor) -> torch.Tensor:
    """Return the centre of mass of each image, ``[B, 2]``, x and y."""
    height, width = pixels.shape[-2:]
    mass = pixels.sum((1, 2, 3))
    x = (pixels.sum((1, 2)) * torch.arange(width)).sum(1) / mass
    y = (pixels.sum((1, 3)) * torch.arange(height)).sum(1) / mass
    return torch.stack([x, y], dim=1)


def test_a_shift_moves_by_its_own_amount_up_to_its_reach() -> None:
    pixels = picture(400)
    moved = centre(AUGMENTATIONS.make("shift:reach=0.1")(pixels, noise(400))) - centre(pixels)
    limit = torch.tensor([3.1, 2.1])
    assert bool((moved.abs() < limit + 0.05).all())
    assert bool((moved.abs().amax(0) > 0.95 * limit).all())
    assert bool((moved.mean(0).abs() < 0.2).all())
    assert moved.std(0).tolist() == pytest.approx((limit / 3**0.5).tolist(), rel=0.1), "uniform"


def test_a_flip_is_exact_and_happens_half_of_the_time() -> None:
    pixels = torch.rand(400, 3, 5, 4, generator=torch.Generator().manual_seed(0))
    flipped = AUGMENTATIONS.make("flip")(pixels, noise(400))
    same = (flipped - pixels).abs().amax((1, 2, 3)) < 1e-5
    mirrored = (flipped - pixels.flip(-1)).abs().amax((1, 2, 3)) < 1e-5
    assert bool((same | mirrored).all())
    assert 160 < int(mirrored.sum()) < 240
    both = AUGMENTATIONS.make("flip:vertical=true")(pixels, noise(400))
    assert 60 < int(((both - pixels.flip(-1, -2)).abs().amax((1, 2, 3)) < 1e-5).sum()) < 140


def test_a_rotation_turns_by_the_angle_on_images_that_are_not_square() -> None:
    pixels = picture(300)
    part = AUGMENTATIONS.make("rotation:degrees=30,scale=0,shear=0")
    middle = torch.tensor([15.0, 10.0])
    before, after = centre(pixels) - middle, centre(part(pixels, noise(300))) - middle
    assert torch.allclose(before.norm(dim=1), after.norm(dim=1), atol=0.15)
    turned = torch.atan2(after[:, 1], after[:, 0]) - torch.atan2(before[:, 1], before[:, 0])
    turned = torch.rad2deg((turned + torch.pi) % (2 * torch.pi) - torch.pi)
    assert 28 < float(turned.abs().max()) < 31


def test_elastic_displacements_have_the_strength_that_is_named() -> None:
    part = AUGMENTATIONS.make("elastic:strength=0.05,smoothness=0.2")
    points = torch.zeros(500, 20, 30, 2)
    moved = part.move(points, noise(500), (20, 30))
    assert moved[..., 0].std().item() == pytest.approx(0.05 * 30, rel=0.05)
    assert moved[..., 1].std().item() == pytest.approx(0.05 * 20, rel=0.05)
    neighbours = (moved[:, 1:] - moved[:, :-1]).abs().mean()
    assert float(neighbours) < 0.25 * float(moved.abs().mean()), "neighbours move together"


def test_a_chain_interpolates_once() -> None:
    pixels = (torch.rand(20, 1, 16, 16, generator=torch.Generator().manual_seed(0)) > 0.5).float()
    still = "rotation:degrees=0,scale=0,shear=0"
    once = AUGMENTATIONS.make("shift")(pixels, noise(20).fork(0))
    chained = AUGMENTATIONS.make("chain", steps=f"shift+{still}+{still}")(pixels, noise(20))
    assert torch.allclose(once, chained, atol=1e-5)


def test_a_chain_goes_in_the_order_it_names() -> None:
    pixels = picture(50)
    near = AUGMENTATIONS.make("chain", steps="shift:reach=0.1+flip")(pixels, noise(50))
    by_hand = AUGMENTATIONS.make("flip")(
        AUGMENTATIONS.make("shift:reach=0.1")(pixels, noise(50).fork(0)), noise(50).fork(1)
    )
    assert torch.allclose(centre(near), centre(by_hand), atol=0.05)


def test_what_a_chain_cannot_hold() -> None:
    with pytest.raises(UserError, match="a chain cannot hold a chain"):
        AUGMENTATIONS.make("chain:steps=chain")
    with pytest.raises(UserError, match="there is no augmentation called 'spin'"):
        AUGMENTATIONS.make("chain:steps=spin+shift")
    with pytest.raises(UserError, match=r"shift.reach is 2.0, but it must be between 0 and 1"):
        AUGMENTATIONS.make("shift:reach=2")


def test_the_usual_chain_does_not_flip() -> None:
    steps = AUGMENTATIONS.make("chain").fields()["steps"]
    assert "flip" not in steps
    pixels = picture(200)
    x = centre(AUGMENTATIONS.make("chain")(pixels, noise(200)))[:, 0].mean()
    assert float(x) == pytest.approx(float(centre(pixels)[0, 0]), abs=0.5), (
        "with a flip it would be the middle, 3 further"
    )
