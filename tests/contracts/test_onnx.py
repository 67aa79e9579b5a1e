"""ONNX files: every preset gives onnxruntime's answer too, and what a file says of itself is true."""

from __future__ import annotations

import functools
import json
import sys
from pathlib import Path
from typing import Any

import battery
import numpy as np
import pytest
import torch

from latentia import load, train
from latentia.classifier import LINEAR, Classifier
from latentia.core.errors import UserError
from latentia.data.imageset import PixelFormat, from_array
from latentia.presets import PRESETS, design
from latentia.tasks import onnx_files
from latentia.tasks.calibration import softmax
from latentia.tasks.onnx_files import export_onnx

pytest.importorskip("onnxscript")
onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")

SHAPE = (1, 8, 8)
PIXELS = (battery.images(SHAPE, 7).numpy() * 255).astype(np.uint8)
IMAGES = from_array(PIXELS)


@functools.cache
def model_of(architecture: Any, shape: tuple[int, int, int] = SHAPE) -> Any:
    return architecture.build(PixelFormat(*shape, "uint8", 0, 255), seed=3).eval()


def answer(path: Path, values: np.ndarray) -> Any:
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return session.run(None, {session.get_inputs()[0].name: values})[0]


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Return the file of an architecture; presets that differ in the objective alone share it."""
    folder, known = tmp_path_factory.mktemp("onnx"), {}

    def of(preset: str) -> tuple[Any, Path]:
        made = battery.small(design(preset))
        battery.built(made, SHAPE)  # skips the test where an extra is missing
        parts = tuple(
            str(getattr(made.architecture, kind)) for kind in ("encoder", "bottleneck", "decoder", "likelihood")
        )
        model = model_of(made.architecture)
        if parts not in known:
            known[parts] = model, folder / f"{len(known)}.onnx"
            export_onnx(model, IMAGES, known[parts][1])
        return known[parts]

    return of


@pytest.mark.parametrize("preset", PRESETS)
def test_every_preset_gives_the_same_answers(preset: str, exported: Any) -> None:
    model, path = exported(preset)
    for count in (1, 3, 7):  # the number of images is free
        unit = PIXELS[:count].astype(np.float32) / 255
        with torch.inference_mode():
            expected = model(torch.from_numpy(unit)).numpy()
        assert np.abs(answer(path, unit) - expected).max() < 1e-5


def test_encoder_and_decoder_make_the_whole(tmp_path: Path) -> None:
    model = model_of(battery.small(design("vae")).architecture, (3, 9, 7))
    pixels = np.random.default_rng(0).integers(0, 256, (5, 3, 9, 7), dtype=np.uint8)
    made = {
        part: export_onnx(model, from_array(pixels), tmp_path / f"{part}.onnx", part=part)
        for part in ("encoder", "decoder")
    }
    unit = pixels.astype(np.float32) / 255
    codes = answer(made["encoder"].path, unit)
    with torch.inference_mode():
        assert np.abs(codes - model.encode(torch.from_numpy(unit)).z.numpy()).max() < 1e-5
        assert np.abs(answer(made["decoder"].path, codes) - model(torch.from_numpy(unit)).numpy()).max() < 1e-5
    assert str(made["encoder"]).startswith(
        f"{tmp_path / 'encoder.onnx'}: encoder, images [batch, 3, 9, 7] -> codes [batch, 16]; onnxruntime and PyTorch differ by"
    )


@pytest.mark.parametrize("part", ["whole", "encoder", "decoder"])
def test_a_spatial_code_takes_any_size(part: str, tmp_path: Path) -> None:
    model = model_of(battery.small(design("dae")).architecture)
    made = export_onnx(model, IMAGES, tmp_path / "any.onnx", part=part, any_size=True)
    for height, width in ((8, 8), (4, 20), (32, 12)):
        unit = np.random.default_rng(0).random((2, 1, height, width), dtype=np.float32)
        with torch.inference_mode():
            code = model.encode(torch.from_numpy(unit)).z
            expected = code if part == "encoder" else model.decode(code, (height, width))
        found = answer(made.path, code.numpy() if part == "decoder" else unit)
        assert np.abs(found - expected.numpy()).max() < 1e-5
    assert "4*rows, 4*columns]" in str(made)


def test_a_classifier_gives_calibrated_probabilities(tmp_path: Path) -> None:
    classifier = Classifier(model_of(battery.small(design("cae")).architecture), LINEAR, ("cat", "dog", "owl")).eval()
    made = export_onnx(classifier, IMAGES, tmp_path / "c.onnx", temperature=2.0)
    unit = PIXELS.astype(np.float32) / 255
    with torch.inference_mode():
        logits = classifier(torch.from_numpy(unit)).numpy()
    assert np.abs(answer(made.path, unit) - softmax(logits, 2.0)).max() < 1e-5
    about = {entry.key: entry.value for entry in onnx.load(made.path).metadata_props}
    assert json.loads(about["latentia.classes"]) == ["cat", "dog", "owl"]
    with pytest.raises(UserError, match="a classifier is exported as a whole, without its encoder: leave --part out"):
        export_onnx(classifier, IMAGES, tmp_path / "c.onnx", part="encoder")


def test_a_run_exports_itself_and_the_file_says_what_it_takes(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 65536, (12, 9, 8, 3), dtype=np.uint16)
    np.save(tmp_path / "pixels.npy", pixels)
    settings = {"epochs": 1, "quiet": True, "figures": False, "widths": "4x8", "latent_dim": 3, "runs": tmp_path}
    run = train(tmp_path / "pixels.npy", "sparse", **settings)
    made = run.export_onnx(tmp_path / "whole.onnx")
    about = {entry.key: entry.value for entry in onnx.load(made.path).metadata_props}
    expected = {"channels": 3, "height": 9, "width": 8, "dtype": "uint16", "low": 0.0, "high": 65535.0}
    assert json.loads(about["latentia.pixel_format"]) == expected
    assert about["latentia.preset"] == "sparse"
    assert about["latentia.takes"] == "float32 images [batch, 3, 9, 8]"
    # from pixels to pixels by what the file says alone
    unit = (np.moveaxis(pixels, -1, 1).astype(np.float32) - expected["low"]) / (expected["high"] - expected["low"])
    back = np.rint(np.clip(answer(made.path, unit), 0, 1) * 65535)
    assert np.abs(back - run.reconstruct(pixels).pixels.astype(np.float64)).max() <= 1
    in_memory = train(pixels, "cae", **settings)
    with pytest.raises(UserError, match="was trained on images in memory: hand over images"):
        in_memory.export_onnx(tmp_path / "other.onnx")


def test_what_cannot_be_exported_is_said_in_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model, path = model_of(battery.small(design("cae")).architecture), tmp_path / "x.onnx"
    with pytest.raises(UserError, match="there is no part to export called 'encode'; did you mean 'encoder'"):
        export_onnx(model, IMAGES, path, part="encode")
    with pytest.raises(UserError, match=r"takes images of 8x8 pixels alone, .* leave --any-size out"):
        export_onnx(model, IMAGES, path, any_size=True)
    with pytest.raises(UserError, match=r"trained on images of 1 channel\(s\), but digits has 3|pixels, but those of"):
        export_onnx(model, from_array(np.zeros((2, 3, 8, 8), np.uint8), source="digits"), path)
    monkeypatch.setattr(onnx_files, "_difference", lambda *_: 0.5)
    with pytest.raises(UserError, match=r"differ from PyTorch's by 5\.0e-01 on 7 images of array, more than the 1e-05"):
        export_onnx(model, IMAGES, path)
    assert not list(tmp_path.iterdir())
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    with pytest.raises(
        UserError, match=r"export needs onnxscript, which is not installed: pip install 'latentia\[onnx\]'"
    ):
        export_onnx(model, IMAGES, path)


def test_a_part_that_no_exporter_follows_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = design("cae", {"encoder.widths": "4,8"}).architecture.build(load("digits").format)
    forward = type(model).forward
    monkeypatch.setattr(type(model), "forward", lambda self, x: forward(self, x) if float(x.sum()) > 0 else x)
    with pytest.raises(UserError, match="this model cannot be written as ONNX"):
        export_onnx(model, load("digits"), tmp_path / "x.onnx")
