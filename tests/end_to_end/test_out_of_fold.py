"""The recipe and the benchmark of cross-validation in their smallest form, so that they keep working."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parent.parent.parent


def module(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None
    found = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = found
    spec.loader.exec_module(found)
    return found


def test_the_recipe_judges_three_presets_on_images_set_aside(capsys: pytest.CaptureFixture[str]) -> None:
    recipe = module(ROOT / "recipes" / "out_of_fold.py")
    found = recipe.main("digits", images=250, epochs=3, folds=3, repeats=1, jobs=1, seed=0)
    assert [each.preset for each in found] == ["cae", "dae", "vae"]
    for each in found:
        assert each.low < each.out_of_fold < each.high
        # barely trained networks err like the mean image on any images: no more than the luck of the draw lies between
        assert abs(each.set_aside - each.out_of_fold) < 0.15 * each.out_of_fold
    assert "200 images in 3 folds, 50 set aside" in capsys.readouterr().out


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_the_benchmark_measures_both_ways(tmp_path: Path) -> None:
    words = ["--data", "digits", "--images", "60", "--epochs", "1", "--folds", "2", "--rounds", "1"]
    output = tmp_path / "found.json"
    script = ROOT / "benchmarks" / "crossvalidation.py"
    done = subprocess.run(
        [sys.executable, str(script), *words, "-o", str(output)], capture_output=True, text=True, check=True
    )
    assert "one after the other" in done.stdout
    found = json.loads(output.read_text())
    assert found["settings"]["images"] == 60
    assert all(found["rounds"][0][way]["mebibytes"] > 100 for way in ("side by side", "one after the other"))
