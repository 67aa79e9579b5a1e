"""A tiny form of each recipe: it runs, keeps its rows, goes on where it was, and its numbers are sane."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path

import numpy as np
import pytest

RECIPES = Path(__file__).parents[2] / "recipes"


@pytest.fixture
def recipe(monkeypatch: pytest.MonkeyPatch):
    """Return a function that imports a recipe by name."""
    monkeypatch.syspath_prepend(str(RECIPES))

    def load(name: str):
        sys.modules.pop(name, None)
        return importlib.import_module(name)

    return load


def test_rows_are_kept_and_dropped_with_their_settings(recipe, tmp_path, capsys):
    module = recipe("rows")
    rows = module.Rows(tmp_path / "rows.json", {"images": 5})
    rows.add(row="a", seed=1, value=3.0)
    rows.add(row="a", seed=0, value=1.0)
    again = module.Rows(tmp_path / "rows.json", {"images": 5})
    assert again.has(row="a", seed=1)
    assert not again.has(row="b")
    assert again.values("value", row="a") == [1.0, 3.0]
    assert module.Rows(tmp_path / "rows.json", {"images": 6}).rows == []
    assert module.spread([1.0, 3.0]) == "2.00 ± 1.41 (2 seeds)"
    low, high = module.interval([1.0, 2.0, 3.0])
    assert low == pytest.approx(2 - 4.30265 / 3**0.5, abs=1e-4)
    assert high == pytest.approx(2 + 4.30265 / 3**0.5, abs=1e-4)


def test_density(recipe, tmp_path, capsys):
    module = recipe("density")
    path = tmp_path / "density.json"
    rows = module.main("digits", ["vae", "iwae-5"], [0, 1], epochs=3, images=400, many=100, output=path)
    assert [row["row"] for row in rows.rows] == ["vae", "iwae-5"] * 2
    for row in rows.rows:
        assert row["nll"] < -row["elbo"]  # the bound of many samples is the tighter one
        assert row["rate"] + row["distortion"] == pytest.approx(-row["elbo"], rel=1e-6)
        assert row["curve_on_some"][-1][0] == 100
    assert "vae - iwae-5" in capsys.readouterr().out
    before = json.loads(path.read_text())
    module.main("digits", ["vae"], [0], epochs=3, images=400, many=100, output=path)
    assert json.loads(path.read_text()) == before


def test_the_estimate_is_that_of_many_samples(recipe, tmp_path):
    """With every image among those that get many samples, the control variate gives their mean itself."""
    module = recipe("density")
    from latentia import load, train
    from latentia.tasks.density import log_likelihood

    images = load("digits", "test").select(np.arange(40))
    run = train(images, "vae", runs=tmp_path, epochs=2, figures=False, quiet=True)
    found = module.estimate(run.model, images, many=200, few=50, some=1000)
    assert found["nll"] == pytest.approx(-log_likelihood(run.model, images, samples=200).log_likelihood.mean())


def test_denoising(recipe, tmp_path, capsys):
    module = recipe("denoising")
    given = {"data": "digits", "presets": ["dae", "cae"], "seeds": [0], "epochs": 20, "images": 500, "options": {}}
    rows = module.main(**given, output=tmp_path / "denoising.json")
    dae = rows.values("psnr", preset="dae")[0]
    cae = rows.values("psnr", preset="cae")[0]
    nothing = module.classical(module.load("digits", "test"))["doing nothing"]["psnr"]
    assert dae > nothing + 2
    assert dae > cae
    assert rows.values("identity", preset="dae")[0] < rows.values("identity", preset="cae")[0]
    assert "biharmonic" in capsys.readouterr().out


def test_adapting(recipe, tmp_path, capsys):
    module = recipe("adapting")
    path = tmp_path / "adapting.json"
    given = ("digits", ["noisy"], [0, 1], 10, [100], [2], path, {"encoder.widths": "8,16"})
    rows = module.main(*given)
    assert [row["start"] for row in rows.rows] == ["source as it is", "from source", "anew"] * 2
    old, new = (rows.values("mse", start=start) for start in ("from source", "anew"))
    assert all(one < other for one, other in zip(old, new, strict=True))
    assert "gain, 95 % interval over seeds" in capsys.readouterr().out
    before = path.read_bytes()
    module.main(*given)
    assert path.read_bytes() == before


def test_few_labels(recipe, tmp_path, capsys):
    module = recipe("few_labels")
    path, names = tmp_path / "few.json", ["default", "no augmentation", "from scratch", "pixels-svm"]
    given = ("digits", names, ["20", "all"], 2, 1, "cae", 2, path, tmp_path / "runs")
    rows = module.main(*given)
    assert len(rows.rows) == 16
    assert max(rows.values("error", row="pixels-svm", labels="all")) < 0.05
    assert "worst" in capsys.readouterr().out
    before = path.read_bytes()
    module.main(*given)
    assert path.read_bytes() == before
    assert len(list((tmp_path / "runs").iterdir())) == 1, "the autoencoder is trained once"
    stacked = module.main(*given[:7], None, tmp_path / "runs", jobs=2, stack=True)
    assert {row["note"] for row in stacked.rows if row["row"] == "default"} == {"stacked=2"}
    for row in stacked.rows:
        key = {name: row[name] for name in ("row", "labels", "seed")}
        assert row["error"] == pytest.approx(rows.values("error", **key)[0], abs=0.02), key


def test_one_class(recipe, tmp_path, capsys):
    module = recipe("one_class")
    path = tmp_path / "one.json"
    rows = module.main("digits", [0], [0, 4], epochs=8, preset="cae", output=path)
    assert [row["digit"] for row in rows.rows] == [0, 4]
    assert min(rows.values("combined")) > 90 and min(rows.values("pca")) > 85
    shown = capsys.readouterr().out
    assert "PCA-32" in shown and "the 96.5 asked" in shown
    before = path.read_bytes()
    module.main("digits", [0], [0, 4], epochs=8, preset="cae", output=path)
    assert path.read_bytes() == before
    chosen = module.main("digits", [0], [4], epochs=8, preset="cae", output=None, choose=True)
    assert 60 < chosen.values("combined")[0] <= 100
    assert "against damaged validation images" in capsys.readouterr().out


def test_every_damage_changes_images_and_keeps_their_kind(recipe):
    module = recipe("damage")
    pixels = np.random.default_rng(0).integers(0, 256, (6, 2, 12, 12), dtype=np.uint8)
    for name in module.DAMAGES:
        spoilt = module.damaged(pixels, name, seed=1)
        assert spoilt.shape == pixels.shape and spoilt.dtype == pixels.dtype, name
        assert not np.array_equal(spoilt, pixels), name
        assert np.array_equal(spoilt, module.damaged(pixels, name, seed=1)), name


def test_contamination(recipe, tmp_path, capsys, monkeypatch):
    module = recipe("contamination")
    monkeypatch.setattr(module, "SHARES", [0.0, 0.1])
    path = tmp_path / "contamination.json"
    rows = module.main("digits", [0], epochs=8, images=600, output=path)
    assert len(rows.rows) == 4
    assert all(0 <= row["false_alarms"] < 0.25 for row in rows.rows)
    kept = [rows.values("count", share=0.1, calibration=name)[0] for name in ("as the pool", "looked through")]
    assert kept[0] > kept[1], "odd images are taken out of the calibration images"
    pool, test, others = module.draw(module.load("digits"), 0.1, 600, 0)
    assert np.isclose((np.asarray(pool.labels) >= 5).mean(), 0.1, atol=0.01)
    assert not set(pool.names) & set(test.names) and len(others) == (np.asarray(test.labels) >= 5).sum()
    assert "| odd in the pool |" in capsys.readouterr().out


def test_judge(recipe, tmp_path, capsys):
    module = recipe("judge")
    path = tmp_path / "judge.json"
    rows = module.main("digits", [0], epochs=6, images=300, count=60, output=path)
    assert [row["row"] for row in rows.rows] == ["vae", "vae, one epoch"]
    assert rows.values("floor_frechet", row="vae")[0] < rows.values("frechet", row="vae")[0]
    assert "the floor" in capsys.readouterr().out
    before = path.read_bytes()
    module.main("digits", [0], epochs=6, images=300, count=60, output=path)
    assert path.read_bytes() == before


def test_clustering_keeps_what_it_measured(recipe, tmp_path, capsys):
    module, path = recipe("clustering"), tmp_path / "clustering.json"
    common = {"epochs": 30, "images": 60_000, "others": False, "output": path}
    rows = module.main("digits", "train", ["cae"], seeds=[0], **common)
    assert {row["way"] for row in rows.rows} == {module.DEFAULT, "k-means on pixels", "k-means on PCA (50)"}
    own, pixels, _ = rows.rows
    assert own["clusters"] >= 7 and own["nmi"] > pixels["nmi"]
    again = module.main("digits", "train", ["cae"], seeds=[0], **common)
    assert again.rows == rows.rows, "what was measured is not measured again"
    assert "cae, communities (default)" in capsys.readouterr().out


def test_linear_probe_reads_more_from_codes_than_chance(recipe, tmp_path, capsys):
    module = recipe("linear_probe")
    module.QUICK[1] = "2"
    rows = module.main("digits", ["pixels", "pca-256", "warp-cae"], [0], images=400, output=tmp_path / "probe.json")
    assert [row["row"] for row in rows.rows] == ["pixels", "pca-256", "warp-cae"]
    assert [row["numbers"] for row in rows.rows] == [64, 64, 256]
    assert all(row["accuracy"] > 0.5 for row in rows.rows) and rows.rows[2]["seconds"] > 0
    assert "| warp-cae | 256 |" in capsys.readouterr().out
