"""The README's table of speed says what the benchmarks' results say."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

TABLE = Path(__file__).parents[2] / "benchmarks" / "table.py"


def test_the_readme_shows_the_results() -> None:
    done = subprocess.run([sys.executable, str(TABLE), "--check"], check=False)
    assert done.returncode == 0, "run: python benchmarks/table.py"
