"""The report in a real browser: light, dark, on a phone and on paper."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from latentia import api, train

pytestmark = pytest.mark.browser

QUICK = {"encoder__widths": "4,8", "latent_dim": 3, "batch_size": 64, "epochs": 2, "quiet": True, "figures": False}
HOSTILE = "<img src=x onerror=hacked=1>"


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    place = tmp_path_factory.mktemp("pages")
    random = np.random.default_rng(0)
    for label in (f"a{HOSTILE}", "b"):
        (place / "photos" / label).mkdir(parents=True)
        for number in range(10):
            Image.fromarray(random.integers(0, 256, (9, 12, 3), dtype=np.uint8)).save(
                place / "photos" / label / f"{HOSTILE}{number}.png"
            )
    hostile = train(place / "photos", "vae", runs=place, **QUICK)
    digits = train("digits", "cae", runs=place, **QUICK)
    classifier = api.finetune(digits, labels=30, runs=place, epochs=2, quiet=True)
    folds = api.crossvalidate("digits", folds=2, final=False, runs=place, **{**QUICK, "figures": None})
    return {
        "hostile": api.report(hostile),
        "classifier": classifier.path / "report.html",
        "folds": folds.report(),
        "comparison": api.compare([digits.path, digits.path]).report(place / "comparison.html"),
    }


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", ["hostile", "classifier", "folds", "comparison"])
def test_pages_are_sound_and_accessible(visit: Callable, pages: dict[str, Path], name: str, scheme: str) -> None:
    seen = visit(pages[name], color_scheme=scheme)
    assert seen.page.locator("h1").count() == 1
    assert seen.page.locator("main section").count() >= 3
    seen.check()
    assert seen.violations() == []


def test_nothing_from_outside_runs_and_a_point_shows_its_image(visit: Callable, pages: dict[str, Path]) -> None:
    pytest.importorskip("bokeh")
    seen = visit(pages["hostile"], viewport={"width": 1100, "height": 800})
    seen.page.locator("#map-plot").scroll_into_view_if_needed()
    seen.page.wait_for_selector("#map-plot.alive", state="attached")
    where = seen.page.evaluate(
        """() => {
            const view = [...Bokeh.index.roots][0];
            const data = view.model.renderers[0].data_source.data;
            const box = view.canvas_view.el.getBoundingClientRect();
            return [box.left + view.frame.x_scale.compute(data.x[0]), box.top + view.frame.y_scale.compute(data.y[0])];
        }"""
    )
    seen.page.mouse.move(where[0] - 4, where[1])
    seen.page.mouse.move(*where)
    tip = seen.page.locator(".bk-tooltip-content")
    tip.wait_for()
    assert HOSTILE in tip.inner_text()
    assert tip.locator("i.t").evaluate("e => getComputedStyle(e).backgroundImage").startswith('url("data:image/')
    assert seen.page.evaluate("typeof hacked") == "undefined"
    seen.check()


@pytest.mark.parametrize("name", ["hostile", "classifier", "folds", "comparison"])
def test_a_phone_needs_no_sideways_scrolling(visit: Callable, pages: dict[str, Path], name: str) -> None:
    seen = visit(pages[name], viewport={"width": 390, "height": 844})
    assert seen.page.evaluate("document.documentElement.scrollWidth") <= 390


def test_on_paper_there_is_no_list_of_sections_and_the_map_is_a_picture(
    visit: Callable, pages: dict[str, Path]
) -> None:
    seen = visit(pages["hostile"])
    seen.page.emulate_media(media="print", color_scheme="dark")
    assert not seen.page.locator("nav").is_visible()
    assert seen.page.locator("img.still").is_visible()
    assert seen.page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"


def test_the_keyboard_reaches_the_content(visit: Callable, pages: dict[str, Path]) -> None:
    seen = visit(pages["hostile"])
    seen.page.keyboard.press("Tab")
    assert seen.page.evaluate("document.activeElement.textContent") == "Skip to the content"
    seen.page.keyboard.press("Enter")
    assert seen.page.evaluate("document.activeElement.id") == "main"
