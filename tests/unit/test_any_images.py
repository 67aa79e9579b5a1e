"""Any images: what went in comes out with the same shape, dtype and range, whatever the channels, depth, size and policy."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from torch import Tensor

from latentia import ConvAutoencoder
from latentia.data.imageset import ImageSet, from_array
from latentia.data.load import load
from latentia.data.restore import save_images
from latentia.model import Autoencoder
from latentia.presets import design
from latentia.tasks.denoise import denoise
from latentia.tasks.reconstruct import reconstruct

QUICK = settings(max_examples=25, deadline=None)
SMALL: dict[str, dict[str, Any]] = {
    "cae": {"encoder.widths": "4,8", "latent_dim": 3},
    "dae": {"widths": "8", "latent_dim": 2},
    "vae": {"encoder.widths": "4,8", "latent_dim": 3},
}

sides = st.integers(1, 21)
ranges = st.one_of(
    st.just(("uint8", 0, 255)),
    st.sampled_from([("uint16", 0, 4095), ("uint16", 0, 65535)]),
    st.tuples(st.just("float32"), st.floats(-500, 500), st.floats(0.5, 2000)).map(lambda x: (x[0], x[1], x[1] + x[2])),
)


@st.composite
def arrays(draw: Any) -> np.ndarray:
    """Return ``[N, C, H, W]`` of one to seven channels, any size, any depth and range."""
    count, channels, height, width = draw(st.integers(1, 4)), draw(st.integers(1, 7)), draw(sides), draw(sides)
    dtype, low, high = draw(ranges)
    random = np.random.default_rng(draw(st.integers(0, 2**16)))
    pixels = low + random.random((count, channels, height, width)) * (high - low)
    return pixels.astype(np.float32) if dtype == "float32" else np.rint(pixels).astype(dtype)


def stored(pixels: np.ndarray) -> ImageSet:
    """Return the images without a guess at which side holds the channels."""
    return ImageSet(pixels, [f"{number}" for number in range(len(pixels))], np.arange(len(pixels)))


def model_of(images: ImageSet, preset: str = "cae") -> Autoencoder:
    return design(preset, SMALL[preset]).architecture.build(images.format, seed=0).eval()


def copying(images: ImageSet, preset: str = "cae") -> Autoencoder:
    """Return a model that gives back what it is shown, so that all that is left is the way there and back."""
    model = model_of(images, preset)

    def same(pixels: Tensor) -> Tensor:
        assert float(pixels.min()) >= 0.0 - 1e-5 and float(pixels.max()) <= 1.0 + 1e-5, "inside, pixels lie in [0, 1]"
        return pixels.clone()

    model.forward = same  # type: ignore[method-assign]
    return model


@given(pixels=arrays(), preset=st.sampled_from(["cae", "dae", "vae"]))
@QUICK
def test_shape_dtype_and_range_of_what_comes_out(pixels: np.ndarray, preset: str) -> None:
    images = stored(pixels)
    model = model_of(images, preset)
    for answer in (reconstruct(model, images).images, denoise(model, images, tile=16)):
        assert answer.pixels.shape == pixels.shape and answer.pixels.dtype == pixels.dtype
        assert list(answer.names) == list(images.names)
        assert answer.pixels.min() >= images.format.low and answer.pixels.max() <= images.format.high


@given(pixels=arrays(), preset=st.sampled_from(["cae", "dae"]))
@QUICK
def test_nothing_is_lost_on_the_way_there_and_back(pixels: np.ndarray, preset: str) -> None:
    images = stored(pixels)
    model = copying(images, preset)
    span = images.format.high - images.format.low
    for answer in (reconstruct(model, images).images, denoise(model, images, tile=16)):
        if pixels.dtype.kind == "u":
            assert np.array_equal(answer.pixels, pixels)
        else:
            assert np.allclose(answer.pixels, pixels, rtol=1e-6, atol=1e-6 * (span + abs(images.format.low)))


@given(pixels=arrays(), last=st.booleans())
@settings(max_examples=10, deadline=None)
def test_the_estimators_give_back_the_layout_they_were_given(pixels: np.ndarray, last: bool) -> None:
    if pixels.shape[1] == 1:
        pixels = pixels[:, 0]  # [N, H, W]
    elif last and pixels.shape[1] < min(pixels.shape[2:]):
        pixels = np.moveaxis(pixels, 1, -1)
    small = {"encoder.widths": "4,8", "bottleneck.hidden": 0, "decoder.hidden": 0}
    fitted = ConvAutoencoder(2, epochs=1, options=small).fit(pixels)
    again = fitted.reconstruct(pixels)
    assert again.shape == pixels.shape and again.dtype == pixels.dtype
    low, high = (pixels.min(), pixels.max()) if pixels.dtype.kind == "f" else (0, np.iinfo(pixels.dtype).max)
    assert again.min() >= min(low, 0) and again.max() <= max(high, 1)


CHANNELS = {"L": 1, "LA": 2, "RGB": 3, "RGBA": 4}


def draw_picture(random: np.random.Generator, mode: str, height: int, width: int) -> Image.Image:
    if mode == "I;16":
        return Image.fromarray(random.integers(0, 65536, (height, width), dtype=np.uint16))
    if mode == "F":
        return Image.fromarray(random.random((height, width)).astype(np.float32))
    values = random.integers(0, 256, (height, width, CHANNELS[mode]), dtype=np.uint8)
    return Image.fromarray(values[..., 0] if mode == "L" else values, mode)


kinds = st.sampled_from(
    [
        (("L",), ".png"),
        (("LA",), ".png"),
        (("RGB",), ".tif"),
        (("RGBA",), ".png"),  # transparency
        (("RGBA",), ".tif"),
        (("I;16",), ".tif"),
        (("I;16",), ".png"),
        (("F",), ".tif"),
        (("L", "RGB"), ".png"),
        (("L", "RGB", "RGBA"), ".png"),
        (("L", "I;16"), ".tif"),
    ]
)


@given(
    kind=kinds,
    sizes=st.lists(st.tuples(st.integers(1, 15), st.integers(1, 15)), min_size=2, max_size=4),
    size=st.one_of(st.none(), st.tuples(st.integers(2, 13), st.integers(2, 13))),
    policy=st.sampled_from(["auto", "resize", "pad", "crop"]),
    seed=st.integers(0, 2**16),
)
@settings(max_examples=40, deadline=None)
def test_a_folder_of_mixed_sizes_modes_and_depths_comes_back(
    kind: tuple[tuple[str, ...], str],
    sizes: list[tuple[int, int]],
    size: tuple[int, int] | None,
    policy: str,
    seed: int,
) -> None:
    modes, suffix = kind
    random = np.random.default_rng(seed)
    with tempfile.TemporaryDirectory() as place:
        before = []
        for number, (height, width) in enumerate(sizes):
            before.append(draw_picture(random, modes[number % len(modes)], height, width))
            (Path(place) / "in").mkdir(exist_ok=True)
            before[-1].save(Path(place) / "in" / f"{number}{suffix}")
        images = load(Path(place) / "in", size=size, policy=policy, quiet=True)
        assert size is None or images.pixels.shape[2:] == size
        answer = reconstruct(copying(images), images).images
        paths = save_images(answer, Path(place) / "out")
        for picture, path in zip(before, paths, strict=True):
            with Image.open(path) as after:
                after.load()
            assert (after.size, after.mode) == (picture.size, picture.mode), "its own size, depth and transparency"
            one, other = np.asarray(picture), np.asarray(after)
            assert one.dtype == other.dtype
            scaled = policy in ("auto", "resize") and picture.size != images.pixels.shape[:1:-1]
            if not scaled and picture.mode != "F":
                assert np.array_equal(one, other), "padded or cropped, and nothing of it is lost"
            elif not scaled:
                assert np.allclose(one, other, atol=1e-5)


def test_a_deep_tiff_that_is_compressed(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    deep = np.random.default_rng(0).integers(0, 4096, (3, 9, 7), dtype=np.uint16)
    for number, pixels in enumerate(deep):
        Image.fromarray(pixels).save(tmp_path / "in" / f"{number}.tif", compression="tiff_lzw")
    images = load(tmp_path / "in")
    paths = save_images(denoise(copying(images), images), tmp_path / "out")
    assert [path.name for path in paths] == ["0.tif", "1.tif", "2.tif"]
    for pixels, path in zip(deep, paths, strict=True):
        with Image.open(path) as after:
            assert np.array_equal(np.asarray(after), pixels)


def test_more_than_four_channels_come_as_arrays_and_go_as_arrays(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 65536, (2, 7, 9, 11), dtype=np.uint16)
    images = from_array(pixels)
    for path, before in zip(save_images(reconstruct(copying(images), images).images, tmp_path), pixels, strict=True):
        assert path.suffix == ".npy" and np.array_equal(np.load(path), before)


@pytest.mark.parametrize("preset", ["cae", "vae"])
def test_a_vector_code_refuses_another_size_with_both_named(preset: str) -> None:
    model = model_of(from_array(np.zeros((1, 9, 8), np.uint8)), preset)
    from latentia.core.errors import UserError

    with pytest.raises(UserError, match=r"images of 9x8 pixels, but those of array are 8x9"):
        reconstruct(model, from_array(np.zeros((1, 8, 9), np.uint8)))
