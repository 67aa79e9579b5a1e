"""How things show themselves in a notebook: escaped, small, and never unasked."""

from __future__ import annotations

import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from latentia import Run, load, open_run, train
from latentia.core.notebook import Printed
from latentia.data.imageset import from_array
from latentia.report.loss_graph import loss_graph
from latentia.tasks.generate import Generated
from latentia.tasks.reconstruct import Reconstruction

HOSTILE = "<script>hacked()</script>\"'&.png"


def tags(text: str) -> list[str]:
    found: list[str] = []

    class Reader(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            found.append(tag)
            assert not [key for key, _ in attrs if key.startswith("on")]

    Reader().feed(text)
    return found


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    options = {"encoder__widths": "4,8", "latent_dim": 2, "epochs": 2, "quiet": True, "figures": False}
    return train("digits", runs=tmp_path_factory.mktemp("runs"), **options)


@pytest.mark.parametrize("shape", [(1, 9, 7), (3, 1, 20, 300), (500, 3, 8, 8), (2, 5, 6, 6)])
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_image_sets_are_small_sheets(shape: tuple[int, ...], dtype: str) -> None:
    images = from_array((np.random.default_rng(0).random(shape) * 200).astype(dtype))
    text = images._repr_html_()
    assert tags(text).count("img") == min(len(images), 16)
    assert len(text) < 200_000


def test_names_and_classes_are_text() -> None:
    images = from_array(np.zeros((2, 4, 4), dtype=np.uint8), ["<b>x", "y"], names=[HOSTILE, "b"], source=HOSTILE)
    assert set(tags(images._repr_html_())) == {"pre", "div", "figure", "img", "figcaption"}
    assert "&lt;b&gt;x" in images._repr_html_()


def test_results_show_what_they_print_and_their_images(run: Run) -> None:
    images = run.images("digits", "validation")
    for result in (run.reconstruction(images), run.evaluate("digits", "validation")):
        assert isinstance(result, Printed)
        assert str(result).splitlines()[0] in result._repr_html_()
    shown = run.reconstruction(images)
    assert isinstance(shown, Reconstruction)
    assert tags(shown._repr_html_()).count("img") == 32
    assert tags(Generated(images, np.zeros((len(images), 2)), "prior")._repr_html_()).count("img") == 16


def test_everything_that_is_printed_is_shown() -> None:
    import latentia.studies.result
    import latentia.studies.selection
    import latentia.tasks.detect
    import latentia.tasks.doctor
    import latentia.tasks.predict

    for kind in (
        latentia.studies.result.CrossValidation,
        latentia.studies.selection.Selection,
        latentia.tasks.detect.Detection,
        latentia.tasks.doctor.Diagnosis,
        latentia.tasks.predict.Prediction,
    ):
        assert issubclass(kind, Printed)
        assert kind._repr_html_ is Printed._repr_html_

    class Says(Printed):
        def __str__(self) -> str:
            return HOSTILE

    assert tags(Says()._repr_html_()) == ["pre"]


def test_a_run_shows_its_figures_and_its_loss(run: Run) -> None:
    text = run._repr_html_()
    assert "cae on digits" in text
    assert "per-pixel MSE, validation" in text
    assert "svg" in tags(text)
    assert len(text) < 100_000
    images = from_array(np.zeros((9, 8, 8), dtype=np.uint8), source=HOSTILE)
    other = train(images, runs=run.path.parent, latent_dim=2, epochs=1, quiet=True, figures=False)
    assert "script" not in tags(other._repr_html_())


def test_a_run_that_is_half_written_shows_what_there_is(run: Run, tmp_path: Path) -> None:
    import shutil

    shutil.copytree(run.path, tmp_path / "run")
    opened = open_run(tmp_path / "run")
    (tmp_path / "run" / "metrics.jsonl").unlink()
    assert "cae on digits" in opened._repr_html_()
    (tmp_path / "run" / "run.json").write_text("{")
    assert "is damaged" in opened._repr_html_()


def test_a_figure_is_shown_where_it_is_a_cell_s_value_and_pyplot_never_hears_of_it() -> None:
    figure = loss_graph([{"epoch": epoch, "train": {"loss": 1 / epoch}} for epoch in (1, 2, 3)])
    assert figure._repr_png_().startswith(b"\x89PNG")
    assert "matplotlib.pyplot" not in sys.modules or not sys.modules["matplotlib.pyplot"].get_fignums()


def test_a_notebook_without_widgets_gets_a_bar_of_text_and_no_warning() -> None:
    code = """
import sys, types, warnings
warnings.simplefilter("error")
shell = types.SimpleNamespace(config={"IPKernelApp": {}}, kernel=None)
sys.modules["IPython"] = types.SimpleNamespace(get_ipython=lambda: shell, version_info=(8,), display=None)
sys.modules["ipywidgets"] = None
from latentia.core.bars import tqdm
for _ in tqdm(range(3), file=sys.stdout):
    pass
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert "3/3" in done.stdout


def test_the_public_example(tmp_path: Path) -> None:
    assert load("digits")._repr_html_().count("<img") == 16
