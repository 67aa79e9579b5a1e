"""How quickly the explorer and the report answer, in a real browser: Debian's Chromium, driven by Playwright.

    LATENTIA_DATA=... python benchmarks/explorer.py [--run RUN]

Without --run a `cae` is trained for one epoch first; how well it is trained changes no time. Measured, all on one machine:

    opening     from the start of `latentia explore RUN mnist` (70,000 images, codes cached) until map and gallery are drawn
    pad         from a move on the pad until the image decoded there is on the page
    report      from the page's address until its first contentful paint, and the file's size

The server's own processor seconds stand beside the times of a clock, which other work on the machine makes longer.
Medians and ranges are printed and written to ``benchmarks/results/explorer.json``.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, sync_playwright

OPENINGS, MOVES, PAINTS = 5, 60, 9
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
STEP = """async (key) => {
    const pad = document.querySelector('#pad'), image = document.querySelector('#decoded');
    const before = image.dataset.ticket, start = performance.now();
    pad.dispatchEvent(new KeyboardEvent('keydown', {key, bubbles: true, cancelable: true}));
    while (image.dataset.ticket === before) await new Promise((done) => setTimeout(done, 1));
    await image.decode();
    return performance.now() - start;
}"""
PAINT = "() => performance.getEntriesByType('paint').find((each) => each.name === 'first-contentful-paint')?.startTime"


def main(run: Path | None, output: Path) -> None:
    with tempfile.TemporaryDirectory() as runs, sync_playwright() as driver:
        path = run or trained(Path(runs))
        with started(path):
            pass  # codes are computed once, and kept
        browser = driver.chromium.launch(executable_path=shutil.which("chromium"), args=ARGUMENTS)
        found: dict[str, Any] = {"cores": os.cpu_count(), "browser": browser.version, "images": 70_000}
        serving, drawing, work, pad, pad_work = [], [], [], [], []
        for _ in range(OPENINGS):
            begin = time.perf_counter()
            with started(path) as (address, process):
                ready = time.perf_counter()
                page = opened(browser, address)
                drawing.append(time.perf_counter() - ready)
                serving.append(ready - begin)
                work.append(processor_seconds(process))
                if not pad:
                    pad = moves(page)
                    pad_work = [(processor_seconds(process) - work[0]) / len(pad) * 1000]
                page.context.close()
        found["opening, seconds"] = spread([sum(both) for both in zip(serving, drawing, strict=True)])
        found["opening, the server's processor seconds"] = spread(work)
        found["of that until the address is printed"] = spread(serving)
        found["of that until the page is drawn"] = spread(drawing)
        found["pad move to image, milliseconds"] = spread(pad)
        report = path / "report.html"
        found["pad move, the server's processor milliseconds"] = spread(pad_work)
        found["report, first contentful paint, milliseconds"] = spread(paints(browser, report))
        found["report, megabytes"] = round(report.stat().st_size / 1e6, 2)
        found["load of the machine, 15 minutes"] = round(os.getloadavg()[2], 2)
        browser.close()
    print(json.dumps(found, indent=2))
    output.write_text(json.dumps(found, indent=2) + "\n")


def trained(runs: Path) -> Path:
    from latentia import train

    return train("mnist", epochs=1, runs=runs, quiet=True).path


@contextmanager
def started(run: Path) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """Start the command, and yield its address, once it is printed, and its process."""
    command = [sys.executable, "-m", "latentia", "explore", str(run), "mnist", "--split", "all", "--port", "0"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        assert process.stdout is not None
        address = process.stdout.readline().strip()
        if not re.fullmatch(r"http://\S+", address):
            raise SystemExit(f"the explorer of {run} did not start")
        yield address, process
    finally:
        process.terminate()
        process.wait(30)


def processor_seconds(process: subprocess.Popen[str]) -> float:
    """Return what a process has used of the processors so far (Linux)."""
    fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def opened(browser: Browser, address: str) -> Any:
    """Open the page and return it when map and gallery are drawn."""
    page = browser.new_context(viewport={"width": 1400, "height": 1000}).new_page()
    page.goto(address)
    page.locator("#opening").wait_for(state="hidden", timeout=120_000)
    page.locator("#tiles img").first.wait_for(timeout=120_000)
    page.wait_for_function("() => [...document.querySelectorAll('#tiles img')].every((each) => each.complete)")
    return page


def moves(page: Any) -> list[float]:
    """Return how many milliseconds each of some moves took until its image was there."""
    page.locator("#tab-walk").click()
    page.locator("#decoded[src]").wait_for()
    keys = ("ArrowRight", "ArrowUp", "ArrowLeft", "ArrowDown")
    return [page.evaluate(STEP, keys[number // 8 % 4]) for number in range(MOVES)]


def paints(browser: Browser, report: Path) -> list[float]:
    """Return the first contentful paint of fresh visits, in milliseconds."""
    found = []
    for _ in range(PAINTS):
        page = browser.new_context(viewport={"width": 1280, "height": 900}).new_page()
        page.goto(report.resolve().as_uri())
        page.wait_for_function(PAINT)
        found.append(page.evaluate(PAINT))
        page.context.close()
    return found


def spread(values: list[float]) -> dict[str, float]:
    return {"median": _round(statistics.median(values)), "least": _round(min(values)), "most": _round(max(values))}


def _round(value: float) -> float:
    return float(f"{value:.3g}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--run", type=Path, help="a run on mnist; it must hold its report.html")
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "results" / "explorer.json")
    arguments = parser.parse_args()
    main(arguments.run, arguments.output)
