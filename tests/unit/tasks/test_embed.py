"""Codes in memory and on disk: the same numbers, whole files or none, layers by name."""

from __future__ import annotations

import csv
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from latentia import load
from latentia.core.errors import UserError
from latentia.data.batches import Batches
from latentia.data.imageset import Numbers, from_array
from latentia.model import Autoencoder
from latentia.parts import ENCODERS
from latentia.presets import design
from latentia.tasks import code_files
from latentia.tasks.code_files import write_codes
from latentia.tasks.embed import check_codes, embed, layer_names

IMAGES = load("digits").select(np.arange(600))


def built(preset: str = "cae", **options: object) -> Autoencoder:
    return design(preset, options).architecture.build(IMAGES.format, seed=1).eval()


@pytest.fixture(scope="module")
def model() -> Autoencoder:
    return built(latent_dim=4, widths="8x16")


def test_codes_are_the_posterior_mean() -> None:
    vae = built("vae", latent_dim=3, widths="8x16")
    with torch.inference_mode():
        posterior = vae.encode(torch.from_numpy(IMAGES.format.to_unit(IMAGES.pixels))).posterior
    assert posterior is not None
    codes = embed(vae, IMAGES)
    assert codes.dtype == np.float32 and codes.shape == (600, 3)
    assert np.allclose(codes, posterior.mean.numpy(), atol=1e-5)
    assert np.array_equal(codes, embed(vae, IMAGES)), "nothing is drawn"


def test_every_kind_of_file_holds_the_same_codes(model: Autoencoder, tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    codes = embed(model, IMAGES)
    for kind in ("npy", "csv", "parquet"):
        result = write_codes(model, IMAGES, tmp_path / f"c.{kind}")
        assert (result.count, result.width) == (600, 4)
    assert np.array_equal(np.load(tmp_path / "c.npy"), codes)
    assert (tmp_path / "c.names.txt").read_text().splitlines() == list(IMAGES.names)
    with (tmp_path / "c.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["name"] for row in rows] == list(IMAGES.names)
    assert [row["label"] for row in rows] == [str(label) for label in IMAGES.labels]
    values = np.array([[row[f"z{unit}"] for unit in range(4)] for row in rows], dtype=np.float32)
    assert np.allclose(values, codes, rtol=1e-6)
    table = parquet.read_table(tmp_path / "c.parquet")
    assert table.column_names == ["name", "label", "z0", "z1", "z2", "z3"]
    assert np.array_equal(np.stack([table[f"z{unit}"].to_numpy() for unit in range(4)], axis=1), codes)
    assert table["label"].to_pylist() == [str(label) for label in IMAGES.labels]


def test_parquet_says_how_to_get_it(model: Autoencoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(UserError, match=r"pip install 'latentia\[parquet\]'"):
        write_codes(model, IMAGES, tmp_path / "c.parquet")


def test_a_failure_leaves_what_stood_there(model: Autoencoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "c.npy"
    path.write_bytes(b"older")

    def broken(_: Path, rows: object, *rest: object) -> None:
        next(rows)  # type: ignore[call-overload]
        raise OSError(28, "No space left on device")

    monkeypatch.setitem(code_files.WRITERS, ".npy", broken)  # type: ignore[arg-type]
    with pytest.raises(OSError, match="the disk is full"):
        write_codes(model, IMAGES, path)
    assert path.read_bytes() == b"older" and len(list(tmp_path.iterdir())) == 1
    assert not model.training


@pytest.mark.parametrize("encoder", ENCODERS.names())
def test_layers_of_every_encoder(encoder: str) -> None:
    model = built(encoder=encoder)
    names = layer_names(model, IMAGES)
    assert names
    for name in names:
        wide, pooled = (embed(model, IMAGES.select([0, 1]), features=name, pool=pool) for pool in (False, True))
        assert wide.shape[0] == 2 and pooled.shape[1] <= wide.shape[1]
    assert not any(module._forward_hooks for module in model.encoder.modules())
    with pytest.raises(UserError, match=rf"no layer of this encoder called 'layers.99'.*known: .*{names[0]}"):
        embed(model, IMAGES, features="layers.99")


def test_a_layer_is_what_the_layer_gives(model: Autoencoder) -> None:
    first = dict(model.encoder.named_modules())["layers.0"]
    with torch.inference_mode():
        maps = first(torch.from_numpy(IMAGES.format.to_unit(IMAGES.pixels[:5]))).numpy()
    assert np.allclose(embed(model, IMAGES.select(range(5)), features="layers.0"), maps.reshape(5, -1), atol=1e-6)
    assert np.allclose(
        embed(model, IMAGES.select(range(5)), features="layers.0", pool=True), maps.mean((2, 3)), atol=1e-6
    )


def test_codes_of_a_memory_mapped_file(model: Autoencoder, tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", IMAGES.pixels)
    mapped = load(tmp_path / "x.npy")
    assert isinstance(mapped.pixels, np.memmap)
    assert np.array_equal(embed(model, mapped), embed(model, IMAGES))
    shuffled = next(iter(Batches(mapped, mapped.format, 64, seed=3)))
    assert np.array_equal(shuffled.pixels.numpy(), mapped.format.to_unit(IMAGES.pixels[shuffled.ids.numpy()]))


def test_a_file_is_read_in_pieces_of_several_batches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    np.save(tmp_path / "x.npy", IMAGES.pixels)
    mapped = load(tmp_path / "x.npy")
    monkeypatch.setattr("latentia.data.batches.AT_ONCE", 3 * 16 * IMAGES.pixels[0].nbytes)  # three batches and a bit
    for start in (0, 1, 4):
        found = list(Batches(mapped, mapped.format, 16).epoch(0, start))
        assert [len(batch) for batch in found[:-1]] == [16] * (len(found) - 1)
        assert np.array_equal(torch.cat([batch.ids for batch in found]).numpy(), IMAGES.ids[16 * start :])
        pixels = torch.cat([batch.pixels for batch in found]).numpy()
        assert np.array_equal(pixels, mapped.format.to_unit(IMAGES.pixels[16 * start :]))


def test_what_cannot_be_embedded_is_said(model: Autoencoder, tmp_path: Path) -> None:
    with pytest.raises(
        UserError, match=r"cannot be written to '.*c\.txt': name a file that ends in \.npy or \.parquet or \.csv"
    ):
        write_codes(model, IMAGES, tmp_path / "c.txt")
    with pytest.raises(UserError, match=r"trained on images of 8x8 pixels, but those of array are 9x8"):
        write_codes(model, from_array(np.zeros((3, 9, 8), dtype=np.uint8)), tmp_path / "c.npy")
    with pytest.raises(UserError, match="digits holds no images to embed"):
        embed(model, IMAGES.select([]))
    codes = np.zeros((4, 2))
    codes[2, 1] = np.nan
    with pytest.raises(UserError, match="1 of 4 codes hold NaN or infinite values, the first of image number 2"):
        check_codes(codes)
    assert list(tmp_path.iterdir()) == []


def test_numbered_names_are_those_of_a_list() -> None:
    names, listed = Numbers(12), [f"{number:06d}" for number in range(12)]
    assert list(names) == listed and names == listed and names[-1] == listed[-1] and names[2:5] == listed[2:5]
    assert "000011" in names and names != listed[1:]
    with pytest.raises(IndexError):
        names[12]
