from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from small_studies import SMALL, some_images

from latentia.core.errors import UserError
from latentia.report.selection_figure import draw_selection
from latentia.studies.selection import Candidate, combinations, expand_preset, recommend, select, values
from latentia.studies.statistics import estimate

QUICK = {key: value for key, value in SMALL.items() if key != "latent_dim"}


def candidate(
    name: str, mean: float, code_size: int = 4, weights: int = 100, spread: float = 0.01, **more: Any
) -> Candidate:
    figure = estimate([mean - spread, mean, mean + spread], overlap=0.5)
    return Candidate(name, None, figure, code_size, weights, math.nan, more.get("steady", True))  # type: ignore[arg-type]


def test_the_simplest_within_one_standard_error_is_recommended() -> None:
    best = candidate("best", 0.100, code_size=32)
    error = best.figure.error
    near, far = candidate("near", 0.1 + 0.9 * error, code_size=8), candidate("far", 0.1 + 1.1 * error, code_size=2)
    assert recommend([best, near, far]) is near
    assert recommend([best, dataclasses.replace(near, steady=False), far]) is best
    lighter = candidate("lighter", 0.1 + 0.5 * error, code_size=8, weights=50)
    assert recommend([best, lighter, near]) is lighter
    assert recommend([far]) is far


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("cae", ["cae"]),
        ("cae,dae", ["cae", "dae"]),
        ("vae:beta=1,4", ["vae:beta=1", "vae:beta=4"]),
        ("vae:beta=1,4,latent_dim=2,8", [f"vae:beta={b},latent_dim={d}" for b in (1, 4) for d in (2, 8)]),
        ("cae:widths=(8,16),(4,8)", ["cae:widths=(8,16)", "cae:widths=(4,8)"]),
    ],
)
def test_presets_with_several_values(text: str, expected: list[str]) -> None:
    assert expand_preset(text) == expected


def test_values_of_options() -> None:
    assert values("2,8,32") == ["2", "8", "32"]
    assert values("(8,16),(16,32)") == ["8,16", "16,32"]
    assert values([1, 2]) == [1, 2]
    assert values(3) == [3]


def test_combinations_are_told_apart_by_what_differs() -> None:
    names = [name for name, _, _ in combinations("cae", {"latent-dim": "2,8", "epochs": 1})]
    assert names == ["latent_dim=2", "latent_dim=8"]
    assert [name for name, _, _ in combinations(["cae", "dae"], {})] == ["cae", "dae"]


def test_selecting(tmp_path: Path) -> None:
    found = select(some_images(), grid={"latent_dim": "1,6"}, folds=2, runs=tmp_path, **QUICK)
    assert {each.code_size for each in found.candidates} == {1, 6}
    assert found.candidates[0].figure.mean <= found.candidates[1].figure.mean
    assert "recommended: latent_dim=" in str(found)
    assert json.loads((found.path / "run.json").read_text())["selection"]["recommended"] == found.recommended.name
    with Image.open(draw_selection(found)[0]) as picture:
        assert picture.width > 800
    wider = select(some_images(), grid={"latent_dim": "1,3,6"}, folds=2, runs=tmp_path, **QUICK)
    assert len(list(tmp_path.glob("*-crossval"))) == 3  # what was there was not trained again
    assert len(wider.candidates) == 3


@pytest.mark.parametrize(
    ("presets", "grid", "sentence"),
    [
        ("cae", {}, "there is one setting only, so nothing to select from"),
        ("cae", {"latent_dim": list(range(1, 300))}, "there are 299 combinations of settings, but 200 is the most"),
        ("cae,nothing", {}, "there is no preset called 'nothing'"),
        ("vae:4", {"latent_dim": "1,2"}, "cannot be read: write NAME:FIELD=VALUE"),
        ("cae", {"latent_dum": "1,2"}, "the option 'latent_dum' does not exist here"),
    ],
)
def test_mistakes_are_told_before_anything_is_trained(
    tmp_path: Path, presets: str, grid: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(UserError, match=sentence):
        select(some_images(), presets, grid=grid, runs=tmp_path, **QUICK)
    assert not list(tmp_path.iterdir())


def test_the_figure_must_be_one_that_all_have(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="there is no figure called 'kl'"):
        select(some_images(), ["cae", "vae"], metric="kl", folds=2, runs=tmp_path, **SMALL)
