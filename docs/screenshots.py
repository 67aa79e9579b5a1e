"""Takes the README's pictures of report, comparison and explorer, from real runs in a real browser: ``make screenshots``.

Needs MNIST (LATENTIA_DATA, or it is downloaded) and Chromium. Runs that are in ``--runs`` already are not trained again.
"""

from __future__ import annotations

import argparse
import asyncio
import functools
import shutil
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

from latentia import api, train
from latentia.app.server import ExplorerServer
from latentia.app.subject import open_subject

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent / "recipes")]

from run_page import small  # noqa: E402

PICTURES = HERE / "pictures" / "screenshots"
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]


def main(runs: Path, chosen: list[str]) -> None:
    """Train what is missing, and take the pictures."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    mnist = functools.cache(lambda: ready(runs / "mnist", "mnist"))
    vae = functools.cache(
        lambda: ready(runs / "mnist-vae", "mnist", preset="vae", latent_dim=8, optimizer="muon", epochs=1)
    )
    photos = functools.cache(lambda: ready(runs / "photos", tiles(runs), epochs=60))
    views: dict[str, Callable[[Browser], Page]] = {
        "report": lambda browser: page_of(browser, mnist() / "report.html"),
        "report-photos": lambda browser: page_of(browser, photos() / "report.html"),
        "comparison": lambda browser: page_of(browser, compared(runs, mnist(), vae())),
    }
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=shutil.which("chromium"), args=ARGUMENTS)
        for name, view in views.items():
            if name in chosen or not chosen:
                take(view(browser), name)
        for name, run, data in (("explorer", mnist, "mnist"), ("explorer-photos", photos, None)):
            if name in chosen or not chosen:
                with served(run(), data) as address:
                    page = explored(browser, address)
                    take(page, name)
                    if name == "explorer":
                        walk(page)
                        take(page, "explorer-walk")
        browser.close()


def ready(folder: Path, data: Any, **options: Any) -> Path:
    """Return the run beneath ``folder``, trained now where there is none; its page is made anew."""
    found = sorted(folder.glob("*/model.json"))
    if not found:
        return train(data, runs=folder, seed=0, **options).path
    api.report(found[0].parent, quiet=True)
    return found[0].parent


def tiles(runs: Path) -> Path:
    """Return the folder of photographs, made now where there is none."""
    import photo_tiles

    pictures = runs / "tiles" / "photos"
    if not pictures.is_dir():
        photo_tiles.main(pictures)
    return pictures


def compared(runs: Path, *paths: Path) -> Path:
    """Return the page of runs side by side."""
    return Path(api.compare(list(paths)).report(runs / "comparison.html"))


def page_of(browser: Browser, path: Path) -> Page:
    """Open a page, and let its map be drawn."""
    page = browser.new_context(viewport={"width": 1200, "height": 900}, color_scheme="light").new_page()
    page.goto(path.resolve().as_uri())
    page.wait_for_timeout(1500)
    return page


@contextmanager
def served(run: Path, data: Any) -> Iterator[str]:
    """Serve the explorer of a run from a thread."""
    subject, made, up = open_subject(run, data), [], threading.Event()

    def serve() -> None:
        asyncio.set_event_loop(asyncio.new_event_loop())
        made.append(ExplorerServer(subject, port=0))
        made[0].run(lambda _: up.set())

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    up.wait(60)
    try:
        yield made[0].address
    finally:
        made[0].stop()
        thread.join(10)


def explored(browser: Browser, address: str) -> Page:
    """Open the explorer, ask for t-SNE, and draw a lasso around part of the map."""
    page = browser.new_context(viewport={"width": 1300, "height": 860}, color_scheme="light").new_page()
    page.goto(address)
    page.locator("#opening").wait_for(state="hidden", timeout=120_000)
    page.locator("#tiles img").first.wait_for()
    page.locator("#map-method").select_option("tsne")
    page.wait_for_function(
        "() => document.querySelector('#map-method').value === 'tsne' && document.querySelector('#busy').hidden",
        timeout=600_000,
    )
    page.wait_for_timeout(2000)
    box = page.locator(".canvas").bounding_box()
    assert box is not None
    corners = [(0.62, 0.55), (0.78, 0.5), (0.88, 0.62), (0.84, 0.78), (0.68, 0.8), (0.6, 0.68), (0.62, 0.55)]
    points = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in corners]
    page.mouse.move(*points[0])
    page.mouse.down()
    for point in points[1:]:
        page.mouse.move(*point, steps=8)
    page.mouse.up()
    page.wait_for_timeout(2500)
    return page


def walk(page: Page) -> None:
    """Open the pad, and move on it."""
    page.locator("#tab-walk").click()
    page.locator("#decoded[src]").wait_for()
    before = page.locator("#decoded").get_attribute("src")
    box = page.locator("#pad").bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + 0.68 * box["width"], box["y"] + 0.36 * box["height"])
    page.wait_for_function("before => document.querySelector('#decoded').src !== before", arg=before)
    page.wait_for_timeout(500)


def take(page: Page, name: str) -> None:
    """Keep what is seen of a page."""
    path = PICTURES / f"{name}.png"
    page.screenshot(path=path)
    small(Image.open(path)).save(path, optimize=True)
    print(f"{path} ({path.stat().st_size / 1000:.0f} kB)")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help="which pictures; all by default")
    parser.add_argument("--runs", type=Path, default=Path("runs/screenshots"), help="where runs are, or are made")
    arguments = parser.parse_args()
    main(arguments.runs, arguments.names)
