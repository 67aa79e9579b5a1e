"""A real browser for tests: Debian's Chromium, driven by Playwright. Without one the tests skip and say why.

``visit(where)`` opens a file or a loopback address and keeps watch: ``Visit.complaints`` are errors in the console,
``Visit.left`` are requests to other machines (they are stopped), and ``Visit.violations()`` is what axe finds.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
HERE = ("127.0.0.1", "localhost", "::1")
GRAVE = ("serious", "critical")


@dataclasses.dataclass
class Visit:
    """A page that is watched from its first request on.

    Attributes:
        page: Playwright's page.
        complaints: errors and warnings of the console, and exceptions of scripts.
        left: addresses outside this machine that were asked for.
    """

    page: Any
    complaints: list[str] = dataclasses.field(default_factory=list)
    left: list[str] = dataclasses.field(default_factory=list)

    def check(self) -> None:
        """Fail where the console has an error or a request left the machine."""
        assert not self.complaints, self.complaints
        assert not self.left, self.left

    def violations(self) -> list[str]:
        """Return the serious and critical violations that axe finds, one line each."""
        axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-playwright-python is missing")
        found = axe.Axe().run(self.page).response["violations"]
        return [
            f"{each['id']}: {each['help']}: {[node['html'][:200] for node in each['nodes']][:5]}"
            for each in found
            if each["impact"] in GRAVE
        ]


def find_chromium() -> str | None:
    """Return the path of Debian's Chromium (or the one that LATENTIA_CHROMIUM names), or ``None``."""
    return os.environ.get("LATENTIA_CHROMIUM") or shutil.which("chromium")


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """Return Playwright's browser.

    For one file only: while it is open Playwright keeps an event loop running in this thread, and tests elsewhere need theirs.
    """
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    path = find_chromium()
    if path is None:
        pytest.skip("there is no Chromium: apt-get install chromium, or name it in LATENTIA_CHROMIUM")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def visit(chromium: Any) -> Iterator[Callable[..., Visit]]:
    """Return a function that opens a page, ``visit(path_or_address, **options of a browser context)``."""
    with contextlib.ExitStack() as stack:

        def open_page(where: str | Path, **options: Any) -> Visit:
            context = chromium.new_context(**options)
            stack.callback(context.close)
            visited = Visit(context.new_page())
            _watch(visited)
            visited.page.goto(where.absolute().as_uri() if isinstance(where, Path) else where)
            return visited

        yield open_page


def _watch(visited: Visit) -> None:
    page = visited.page
    page.on("pageerror", lambda error: visited.complaints.append(str(error)))
    page.on("console", lambda text: visited.complaints.append(text.text) if text.type in ("error", "warning") else None)

    def gate(route: Any) -> None:
        address = urlsplit(route.request.url)
        if address.scheme in ("file", "data", "blob") or address.hostname in HERE:
            route.continue_()
        else:
            visited.left.append(route.request.url)
            route.abort()

    page.route("**/*", gate)
