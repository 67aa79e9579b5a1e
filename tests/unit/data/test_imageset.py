from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from latentia import load
from latentia.core.errors import UserError
from latentia.data.imageset import ImageSet, PixelFormat, from_array
from latentia.data.load import training_parts
from latentia.data.splits import carve


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ((5, 8, 9), (5, 1, 8, 9)),
        ((5, 3, 8, 9), (5, 3, 8, 9)),
        ((5, 8, 9, 3), (5, 3, 8, 9)),
        ((5, 8, 9, 1), (5, 1, 8, 9)),
    ],
)
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32", "float64", "bool", "int64"])
def test_arrays_of_every_layout_and_dtype(shape: tuple[int, ...], expected: tuple[int, ...], dtype: str) -> None:
    images = load(np.ones(shape, dtype=dtype))
    assert images.pixels.shape == expected
    assert str(images.pixels.dtype) in ("uint8", "uint16", "float32")


def test_a_tensor_is_an_array() -> None:
    import torch

    assert load(torch.zeros(4, 3, 5, 5)).pixels.shape == (4, 3, 5, 5)


@pytest.mark.parametrize(
    ("pixels", "sentence"),
    [
        (np.zeros((3, 4)), "the shape (3, 4)"),
        (np.zeros((0, 4, 4)), "holds no images"),
        (np.full((2, 4, 4), np.nan), "image '000000' of array holds NaN or infinite pixels"),
        (np.full((2, 4, 4), -1), "whole numbers from -1 to -1"),
        (np.full((2, 4, 4), "x"), "pixels are numbers"),
    ],
)
def test_what_is_no_image_gets_a_sentence(pixels: np.ndarray, sentence: str) -> None:
    with pytest.raises(UserError, match=r"^[^\n]*$") as caught:
        load(pixels)
    assert sentence in str(caught.value)


def test_the_first_bad_image_is_named() -> None:
    pixels = np.zeros((5, 4, 4), dtype=np.float32)
    pixels[3, 1, 1] = np.inf
    with pytest.raises(UserError, match="image '000003'"):
        load(pixels)


@given(low=st.floats(-100, 100), span=st.floats(0.01, 100), seed=st.integers(0, 100))
@settings(max_examples=30, deadline=None)
def test_float_pixels_come_back_in_their_range(low: float, span: float, seed: int) -> None:
    pixels = (np.random.default_rng(seed).random((3, 1, 5, 5)) * span + low).astype(np.float32)
    images = from_array(pixels)
    unit = images.format.to_unit(pixels)
    assert unit.min() >= -1e-4
    assert unit.max() <= 1 + 1e-4
    assert np.allclose(images.format.from_unit(unit), pixels, atol=1e-4 * (abs(low) + span))


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_integers_make_the_round_trip_exactly(dtype: str) -> None:
    top = np.iinfo(dtype).max
    pixels = np.linspace(0, top, 256).round().astype(dtype).reshape(1, 1, 16, 16)
    pixel_format = from_array(pixels).format
    assert (pixel_format.from_unit(pixel_format.to_unit(pixels)) == pixels).all()


def test_a_constant_image_has_a_range() -> None:
    pixel_format = from_array(np.full((2, 4, 4), 7.0)).format
    assert pixel_format.high > pixel_format.low


def test_labels_as_texts_and_numbers() -> None:
    pixels = np.zeros((3, 4, 4))
    named = load(pixels, labels=["dog", "cat", ""])
    assert named.classes == ("cat", "dog")
    assert named.labels is not None
    assert named.labels.tolist() == [1, 0, -1]
    with pytest.raises(UserError, match="3 images but 2 labels"):
        load(pixels, labels=[0, 1])


@pytest.mark.parametrize("count", [1, 2, 3, 10, 57])
def test_splits_are_disjoint_and_whole(count: int) -> None:
    images = load(np.zeros((count, 4, 4)))
    parts = carve(images, {"test": 0.1, "validation": 0.1}, seed=3)
    ids = np.concatenate([part.ids for part in parts.values()])
    assert sorted(ids) == list(range(count))
    assert len(parts["train"]) >= 1
    assert carve(images, {"test": 0.1, "validation": 0.1}, seed=3)["train"].fingerprint == parts["train"].fingerprint


def test_pictures_that_are_the_same_stay_in_one_split() -> None:
    groups = np.arange(60) // 3
    base = load(np.random.default_rng(0).random((60, 4, 4)))
    images = ImageSet(base.pixels, base.names, base.ids, groups=groups)
    parts = carve(images, {"test": 0.2, "validation": 0.2}, seed=1)
    seen = [set(part.groups.tolist()) for part in parts.values() if part.groups is not None]
    assert sum(map(len, seen)) == len(set.union(*seen)) == 20


def test_training_does_not_see_the_test_split() -> None:
    train, validation = training_parts("digits")
    test = load("digits", "test")
    assert validation is not None
    assert not set(test.ids) & (set(train.ids) | set(validation.ids))
    assert len(train) + len(validation) + len(test) == 1797


def test_one_image_is_all_training() -> None:
    train, validation = training_parts(np.zeros((1, 4, 4)))
    assert len(train) == 1
    assert validation is None


def test_a_wrong_name_is_answered_with_the_nearest() -> None:
    with pytest.raises(UserError, match="did you mean 'digits'"):
        load("digts")
    with pytest.raises(UserError, match="did you mean 'train'"):
        load("digits", "trian")


def test_formats_print_shortly() -> None:
    assert str(PixelFormat(3, 4, 5, "uint8", 0, 255)) == "3x4x5 uint8"


@pytest.mark.parametrize("together", [1, 1 << 26])
def test_images_are_the_same_by_name_and_pixels_wherever_they_come_from(
    together: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("latentia.data.imageset.LOOKED_AT", together)
    pixels = np.random.default_rng(0).integers(0, 256, (6, 4, 5), dtype=np.uint8)
    first, second = from_array(pixels, source="here"), from_array(pixels[:4].copy(), source="there")
    assert first.among(second).tolist() == [True, True, True, True, False, False]
    second.pixels[1] = 0  # the name alone says nothing: arrays are numbered
    assert first.among(second).tolist() == [True, False, True, True, False, False]
    assert not first.among(from_array(pixels.astype(np.float32))).any()
    assert not first.among(from_array(pixels[:, :3])).any()


@pytest.mark.parametrize("together", [1, 50, 1 << 26])
def test_images_are_found_by_their_pixels_under_any_name(together: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("latentia.data.imageset.LOOKED_AT", together)
    pixels = np.random.default_rng(0).integers(0, 256, (6, 4, 5), dtype=np.uint8)
    pixels[4] = pixels[1]
    first = from_array(pixels)
    assert first.digests.dtype == np.int64 and len(set(first.digests.tolist())) == 5
    assert first.select([5, 4, 1]).places_in(first).tolist() == [5, 4, 1], "of equal pictures the one of the same id"
    assert from_array(pixels[3:]).places_in(first).tolist() == [3, 1, 5], "else the first"
    assert from_array(255 - pixels).places_in(first).tolist() == [-1] * 6
    assert from_array(pixels.astype(np.float32)).places_in(first).tolist() == [-1] * 6
    assert from_array(pixels.reshape(6, 5, 4)).places_in(first).tolist() == [-1] * 6
