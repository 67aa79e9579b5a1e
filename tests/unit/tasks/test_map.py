"""The map: planted groups stay together, trustworthiness is scikit-learn's, thumbnails do not lie on one another."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from sklearn.manifold import trustworthiness

from latentia import load, train
from latentia.core.errors import UserError
from latentia.report.map_picture import MOST_COLOURS, chosen_thumbnails, map_picture
from latentia.report.style import save
from latentia.runs import Run
from latentia.tasks.map_codes import trust

IMAGES = load("digits").select(np.arange(300))


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("runs")
    return train("digits", "cae", runs=folder, epochs=3, figures=False, quiet=True, widths="8x16", latent_dim=8)


@pytest.mark.parametrize("method", ["pca", "tsne"])
def test_a_map_keeps_neighbours(run: Run, method: str, tmp_path: Path) -> None:
    found = run.map(IMAGES, method=method)
    assert found.positions.shape == (300, 2) and found.positions.dtype == np.float32
    assert found.trustworthiness == pytest.approx(trustworthiness(run.embed(IMAGES), found.positions, n_neighbors=5))
    assert found.trustworthiness > {"pca": 0.7, "tsne": 0.95}[method]
    assert np.array_equal(found.positions, run.map(IMAGES, method=method).positions), "repeatable by its seed"
    for kind in ("csv", "npy"):
        found.save(tmp_path / f"p.{kind}")
    assert np.array_equal(np.load(tmp_path / "p.npy"), found.positions)
    with (tmp_path / "p.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["name"] for row in rows] == list(IMAGES.names)
    assert np.allclose([[float(row["x"]), float(row["y"])] for row in rows], found.positions, rtol=1e-4)
    save(map_picture(found, "a run"), tmp_path / "map.png")
    assert f"{found.trustworthiness:.3f}" in str(found)


def test_most_narrows_the_map(run: Run) -> None:
    found = run.map(IMAGES, method="pca", most=50)
    assert len(found.positions) == 50 and found.of == 300 and "50 images of 300" in str(found)
    assert found.images.names[0] == IMAGES.names[0] and found.images.names[-1] == IMAGES.names[-1]


def test_trust_is_low_for_a_shuffled_map() -> None:
    codes = np.random.default_rng(0).normal(size=(400, 2))
    assert trust(codes, codes) == 1.0 and trust(codes, codes[::-1]) < 0.6
    assert np.isnan(trust(codes[:3], codes[:3]))


def test_thumbnails_leave_each_other_room() -> None:
    positions = np.random.default_rng(0).normal(size=(3000, 2))
    chosen = chosen_thumbnails(positions, 0.05)
    unit = (positions[chosen] - positions.min(0)) / np.ptp(positions, axis=0)
    apart = np.abs(unit[:, None] - unit[None]).max(axis=2) + np.eye(len(chosen))
    assert apart.min() >= 0.05 and 30 < len(chosen) < 400
    assert len(chosen_thumbnails(np.zeros((5, 2)), 0.05)) == 1


def test_colours_are_of_labels_clusters_or_none(run: Run) -> None:
    found = run.map(IMAGES, method="pca")
    assert len(map_picture(found, "x").legends[0].get_texts()) == 10
    many = map_picture(found, "x", np.arange(300) // 5 - 1, kind="cluster").legends[0]
    assert len(many.get_texts()) == MOST_COLOURS + 1 and many.get_title().get_text() == "cluster"
    assert map_picture(found, "x", np.full(300, -1)).legends == []


def test_what_cannot_be_mapped_is_said(run: Run) -> None:
    with pytest.raises(UserError, match="no map called 't-sne'; did you mean 'tsne'"):
        run.map(IMAGES, method="t-sne")
    with pytest.raises(UserError, match="digits has 2 images, but a map needs three or more"):
        run.map(IMAGES.select([0, 1]))
    with pytest.raises(UserError, match="--most is 2"):
        run.map(IMAGES, most=2)
    for count in (3, 4, 10):
        for method in ("pca", "tsne"):
            assert run.map(IMAGES.select(np.arange(count)), method=method).positions.shape == (count, 2)
