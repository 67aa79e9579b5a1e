"""The clustering recipe in its tiny form: on real digits the default pipeline is far better than k-means on pixels."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

RECIPE = Path(__file__).parent.parent.parent / "recipes" / "clustering.py"


def test_the_recipe_on_digits(capsys: pytest.CaptureFixture[str]) -> None:
    spec = importlib.util.spec_from_file_location("clustering_recipe", RECIPE)
    assert spec is not None and spec.loader is not None
    recipe = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(recipe)
    found = recipe.main("digits", "train", 30, 1, 60_000, 10, False, None)
    own, pixels = found["communities (default)"][0], found["k-means on pixels"][0]

    assert own["clusters"] >= 7 and own["nmi"] > pixels["nmi"]
    assert "worst" in capsys.readouterr().out
