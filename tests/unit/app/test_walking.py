"""Walks: directions of known codes, starts, cuts, and what cannot be walked."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from latentia.app.walking import REACH, Walker, walk_codes
from latentia.core.errors import UserError
from latentia.data.imageset import PixelFormat, from_array
from latentia.model import Autoencoder
from latentia.presets import PRESETS, design

FORMAT = PixelFormat(1, 8, 8, "uint8", 0.0, 255.0)


def model_of(preset: str = "cae", **options: object) -> Autoencoder:
    return design(preset, {"widths": "8x16", **options}).architecture.build(FORMAT).eval()


@pytest.fixture
def walker() -> Walker:
    random = np.random.default_rng(0)
    axes = np.linalg.qr(random.normal(size=(4, 4)))[0]
    codes = random.normal(size=(4000, 4)) * [5.0, 2.0, 1.0, 0.0] @ axes + 3.0
    made = Walker(model_of(latent_dim=4), codes.astype(np.float32))
    made.axes = axes  # type: ignore[attr-defined]
    return made


def test_principal_directions_are_those_of_the_codes(walker: Walker) -> None:
    found = walker.directions["principal"]
    assert found.spreads == pytest.approx([5.0, 2.0, 1.0], rel=0.05), "a direction without spread is none"
    overlap = np.abs(np.sum(found.vectors * walker.axes[:3], axis=1))  # type: ignore[attr-defined]
    assert overlap == pytest.approx([1, 1, 1], abs=0.01)
    assert found.names[0].startswith("direction 1 (8")


def test_a_step_goes_where_it_was_asked_to_and_nowhere_else(walker: Walker) -> None:
    for kind in ("principal", "units"):
        for row in (None, 7):
            start = walker.places(kind, row)
            code = walker.step(kind, row, {1: 1.5})
            chosen = walker.directions[kind]
            now = chosen.vectors @ (code - walker.mean) / chosen.spreads
            assert now == pytest.approx([start[0], 1.5, *start[2:]], abs=1e-3)
            assert walker.step(kind, row, {}) == pytest.approx(walker.code(row))
    assert walker.step("principal", None, {0: 99.0}) == pytest.approx(walker.step("principal", None, {0: REACH}))


def test_what_is_decoded_is_what_the_model_decodes(walker: Walker) -> None:
    code = walker.step("principal", None, {0: 1.0})
    with torch.inference_mode():
        expected = walker.model.decode(torch.from_numpy(code)[None])
    assert np.array_equal(walker.decode(code), FORMAT.from_unit(expected.numpy())[0])


def test_the_nearest_image_of_an_images_code_is_that_image(walker: Walker) -> None:
    assert [walker.nearest(walker.code(row)) for row in (0, 55, 3999)] == [0, 55, 3999]


@pytest.mark.parametrize("moves", [{9: 1.0}, {0: float("nan")}])
def test_strange_moves(walker: Walker, moves: dict[int, float]) -> None:
    with pytest.raises(UserError, match="there is no direction"):
        walker.step("principal", None, moves)


@pytest.mark.parametrize("preset", PRESETS)
def test_every_preset_walks_or_says_why_not(preset: str) -> None:
    model = model_of(preset)
    images = from_array(np.random.default_rng(0).integers(0, 256, (20, 8, 8), dtype=np.uint8))
    pooled = np.zeros((20, 3), dtype=np.float32)
    if len(model.code_shape) == 3:
        with pytest.raises(UserError, match=r"keeps positions .*: walk with a model whose code is a vector"):
            walk_codes(model, images, pooled)
    else:
        walker = Walker(model, walk_codes(model, images, pooled))
        assert walker.decode(walker.step("units", 3, {0: 1.0})).shape == (1, 8, 8)


def test_codes_that_do_not_differ() -> None:
    with pytest.raises(UserError, match="there is nowhere to walk"):
        Walker(model_of(latent_dim=2), np.ones((5, 2), dtype=np.float32))
