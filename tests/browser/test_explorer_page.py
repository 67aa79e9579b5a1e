"""The explorer in a real browser: a lasso that labels, a drawn digit, a walk, and names that would be HTML."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from latentia import train

pytestmark = pytest.mark.browser
pytest.importorskip("bokeh", reason="bokeh is not installed: pip install 'latentia[explore]'")

HOSTILE = "<img src=x onerror=hacked=1>"
QUICK = {"epochs": 3, "quiet": True, "figures": False, "widths": "8x16", "latent_dim": 5}


@pytest.fixture(scope="module")
def digits_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train("digits", runs=tmp_path_factory.mktemp("seen"), **QUICK).path


@pytest.fixture
def opened(visit: Callable[..., Any], serve_explorer: Callable[..., Any]) -> Callable[[Path], Any]:
    """Return a function that serves a run and returns its page, drawn and settled."""
    from latentia.app.subject import open_subject

    def show(path: Path) -> Any:
        server = serve_explorer(open_subject(path))
        visited = visit(f"http://127.0.0.1:{server.port}/", viewport={"width": 1400, "height": 1000})
        visited.page.locator("#opening").wait_for(state="hidden")
        visited.page.locator("#tiles img").first.wait_for()
        return visited

    return show


def drag(page: Any, corners: list[tuple[float, float]]) -> None:
    """Draw a line through ``corners`` with the pointer held down."""
    page.mouse.move(*corners[0])
    page.mouse.down()
    for corner in corners[1:]:
        page.mouse.move(*corner, steps=6)
    page.mouse.up()


def within(box: dict[str, float], x: float, y: float) -> tuple[float, float]:
    return box["x"] + x * box["width"], box["y"] + y * box["height"]


def test_a_lasso_labels_what_it_encloses(digits_run: Path, opened: Callable[[Path], Any]) -> None:
    visited = opened(digits_run)
    page = visited.page
    box = page.locator(".canvas").bounding_box()
    drag(page, [within(box, *at) for at in ((0.05, 0.05), (0.95, 0.05), (0.95, 0.95), (0.05, 0.95), (0.05, 0.05))])
    page.locator("#words button").first.click()
    page.locator("#label-selection:enabled").click()
    page.locator("#undo:enabled").wait_for()
    with (digits_run / "explore" / "labels.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) > 100 and {row["label"] for row in rows} == {"0"}
    page.locator("#undo").click()
    page.locator("#undo:disabled").wait_for(state="attached")
    with (digits_run / "explore" / "labels.csv").open(newline="") as file:
        assert not list(csv.DictReader(file))
    assert not visited.violations()
    visited.check()


def test_a_drawn_digit_is_reconstructed_and_a_walk_decodes(digits_run: Path, opened: Callable[[Path], Any]) -> None:
    visited = opened(digits_run)
    page = visited.page
    page.locator("#tab-try").click()
    box = page.locator("#draw").bounding_box()
    drag(page, [within(box, 0.3, 0.2), within(box, 0.7, 0.2), within(box, 0.45, 0.85)])
    page.locator("#tried img").first.wait_for()
    assert page.locator("#tried img").count() >= 2
    assert "reconstruct" in page.locator("#tried").inner_text().lower()

    page.locator("#tab-walk").click()
    page.locator("#decoded[src]").wait_for()
    before = page.locator("#decoded").get_attribute("src")
    box = page.locator("#pad").bounding_box()
    page.mouse.click(*within(box, 0.9, 0.1))
    page.wait_for_function("before => document.querySelector('#decoded').src !== before", arg=before)
    visited.check()


def test_names_and_labels_are_shown_as_text(tmp_path: Path, opened: Callable[[Path], Any]) -> None:
    random = np.random.default_rng(0)
    (tmp_path / "photos").mkdir()
    for number in range(12):
        pixels = random.integers(0, 256, (9, 12, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / "photos" / f"{HOSTILE}{number}.png")
    visited = opened(train(tmp_path / "photos", runs=tmp_path, **QUICK).path)
    page = visited.page
    tile = page.locator("#tiles button").first
    assert tile.inner_text().startswith("<img") and HOSTILE in (tile.get_attribute("title") or "")
    page.locator("#word").fill(HOSTILE)
    page.locator("#new-word button").click()
    page.locator("#words button", has_text=HOSTILE).last.wait_for()
    assert page.evaluate("typeof hacked") == "undefined"
    visited.check()
