"""The browser's watch itself: planted faults are seen, so that the other tests' silence means something."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

pytestmark = pytest.mark.browser

GOOD = '<!doctype html><html lang="en"><title>t</title><main><h1>Title</h1><p>Text</p></main>'


def test_a_good_page_is_praised(visit: Callable, tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text(GOOD)
    seen = visit(tmp_path / "page.html")
    seen.check()
    assert seen.violations() == []


def test_requests_errors_and_missing_texts_are_noticed(visit: Callable, tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text(
        GOOD + '<img src="https://example.org/a.png"><script>undefinedFunction()</script>'
    )
    seen = visit(tmp_path / "page.html")
    assert seen.left == ["https://example.org/a.png"]
    assert any("undefinedFunction" in text for text in seen.complaints)
    assert any(text.startswith("image-alt") for text in seen.violations())
