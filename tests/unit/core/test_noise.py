from __future__ import annotations

import math

import pytest
import torch

from latentia.core.noise import Noise, derive, generator

IDS = torch.arange(2000)


def test_same_address_repeats_and_draws_differ():
    first, second = Noise(3, IDS, "code", 1), Noise(3, IDS, "code", 1)
    draws = [first.uniform(5) for _ in range(3)]
    assert all(torch.equal(draw, second.uniform(5)) for draw in draws)
    assert not torch.equal(draws[0], draws[1])


@pytest.mark.parametrize(
    "other", [Noise(4, IDS, "code", 1), Noise(3, IDS, "code", 2), Noise(3, IDS, "mask", 1), Noise(3, IDS, "code")]
)
def test_another_seed_or_address_is_other_noise(other):
    mine = Noise(3, IDS, "code", 1).uniform(8).flatten()
    theirs = other.uniform(8).flatten()
    assert abs(float(torch.corrcoef(torch.stack([mine, theirs]))[0, 1])) < 0.03


def test_noise_belongs_to_the_image_not_to_its_place():
    order = torch.randperm(len(IDS), generator=generator(0, "order"))[:300]
    whole = Noise(0, IDS, "x").normal(3, 4)
    assert torch.equal(Noise(0, IDS[order], "x").normal(3, 4), whole[order])


def test_forks_are_independent_of_the_parent_and_of_its_draws():
    parent = Noise(0, IDS, "x")
    before = parent.fork("y").uniform(4)
    mine = parent.uniform(4)
    assert torch.equal(parent.fork("y").uniform(4), before)
    assert torch.equal(Noise(0, IDS, "x", "y").uniform(4), before)
    assert not torch.equal(mine, before)


def test_uniform_is_uniform():
    drawn = Noise(1, IDS, "u").uniform(500)
    assert drawn.dtype == torch.float32
    assert 0 <= drawn.min() < 1e-4 and 1 - 1e-4 < drawn.max() < 1
    count = drawn.numel()
    observed = torch.histc(drawn, bins=100, min=0, max=1)
    chi_square = float(((observed - count / 100) ** 2 / (count / 100)).sum())
    assert chi_square < 99 + 5 * math.sqrt(2 * 99)


def test_normal_has_the_moments_of_the_standard_normal():
    drawn = Noise(1, IDS, "n").normal(501).double()
    error = 1 / math.sqrt(drawn.numel())
    assert abs(float(drawn.mean())) < 5 * error
    assert abs(float(drawn.square().mean()) - 1) < 5 * math.sqrt(2) * error
    assert abs(float((drawn**3).mean())) < 5 * math.sqrt(15) * error
    assert abs(float((drawn**4).mean()) - 3) < 5 * math.sqrt(96) * error
    for edge, share in ((1, 0.158655), (2, 0.022750), (3, 0.001350)):
        assert abs(float((drawn > edge).double().mean()) - share) < 5 * math.sqrt(share) * error


def test_numbers_are_uncorrelated_along_every_direction():
    drawn = Noise(2, IDS, "n").normal(64)
    again = Noise(2, IDS, "m").normal(64)
    pairs = {
        "places": (drawn[:, :-1], drawn[:, 1:]),
        "images": (drawn[:-1], drawn[1:]),
        "halves": (drawn[:, :32], drawn[:, 32:]),
        "addresses": (drawn, again),
        "squares": (drawn[:, :32].square(), drawn[:, 32:].square()),  # Box and Muller's pairs share a radius
    }
    for name, (first, second) in pairs.items():
        correlation = torch.corrcoef(torch.stack([first.flatten(), second.flatten()]))[0, 1]
        assert abs(float(correlation)) < 5 / math.sqrt(first.numel()), name


def test_every_bit_is_even():
    bits = Noise(5, IDS, "b").bits((100,)).flatten()
    for place in range(32):
        share = float(((bits >> place) & 1).double().mean())
        assert abs(share - 0.5) < 5 * 0.5 / math.sqrt(len(bits)), place


def test_ids_beyond_32_bits_are_told_apart():
    drawn = Noise(0, torch.tensor([7, 7 + (1 << 32), 7 + (1 << 40), (1 << 62) + 7, -7]), "x").uniform(50)
    assert len({tuple(row.tolist()) for row in drawn}) == 5


def test_no_numbers_for_no_images():
    assert Noise(0, torch.empty(0, dtype=torch.int64), "x").normal(2, 3).shape == (0, 2, 3)
    assert Noise.for_count(0, 3, "x").uniform().shape == (3,)


def test_the_numbers_are_the_same_in_every_version():
    """A run must be resumable with a later Latentia; a change here breaks that."""
    assert derive(0, "epoch", 1) == EXPECTED_KEY
    assert Noise(0, torch.tensor([0, 1]), "x").bits((2,)).tolist() == EXPECTED_BITS


def test_generators_repeat():
    assert torch.equal(torch.rand(3, generator=generator(1, "a")), torch.rand(3, generator=generator(1, "a")))
    assert not torch.equal(torch.rand(3, generator=generator(1, "a")), torch.rand(3, generator=generator(1, "b")))


EXPECTED_KEY = 3496682244657562532
EXPECTED_BITS = [[8431273, -1113872312], [1940975219, -357528020]]
