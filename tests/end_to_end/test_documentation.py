"""The documentation builds without a warning, and its pages ask for nothing that is not beside them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
FETCHED = (
    r"<(?:script|img|iframe|source|video|audio|embed|object)\b[^>]*\b(?:src|srcset|data)\s*=\s*[\"']?(?:https?:)?//[^\"'> ]+",
    r"<link\b[^>]*\bhref\s*=\s*[\"']?(?:https?:)?//[^\"'> ]+",
    r"url\(\s*[\"']?(?:https?:)?//[^)]+\)",
    r"@import\s+[\"'](?:https?:)?//[^\"']+",
)


def test_it_builds_without_warnings_and_asks_for_nothing(tmp_path: Path) -> None:
    pytest.importorskip("furo", reason="Sphinx is not installed: pip install '.[docs]'")
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-b", "html", "-d", str(tmp_path / "trees")]
    built = tmp_path / "html"
    done = subprocess.run(
        [*command, str(ROOT / "docs"), str(built)],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
    )
    assert done.returncode == 0, done.stderr[-4000:]
    pages = sorted(built.rglob("*.html"))
    assert built / "tutorial.html" in pages and built / "guides" / "photographs.html" in pages
    for file in [*pages, *built.rglob("*.css")]:
        text = re.sub(r"/\*.*?\*/|<!--.*?-->", "", file.read_text(encoding="utf-8"), flags=re.S)
        assert not [found for pattern in FETCHED for found in re.findall(pattern, text)], file
    commands = (built / "reference" / "commands.html").read_text(encoding="utf-8")
    assert "--label-file" in commands and "latentia explore" in commands
    python = (built / "reference" / "python.html").read_text(encoding="utf-8")
    assert 'id="latentia.train"' in python and 'id="latentia.Run.embed"' in python
    assert 'id="latentia.parts.corruptions.mask.Mask"' in (built / "reference" / "parts.html").read_text(
        encoding="utf-8"
    )
