"""Makes the pictures of README and pages, and the output shown in them, from real runs: ``make pictures``.

Needs MNIST (LATENTIA_DATA, or it is downloaded), and half an hour on one core.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

import run_page  # noqa: E402

from latentia import train  # noqa: E402

PAGES = ("tutorial.md", "guides/photographs.md")


def main() -> None:
    """Train, copy and run."""
    with tempfile.TemporaryDirectory() as runs:
        run = train("mnist", runs=runs)
        shutil.copy(run.path / "figures" / "reconstructions.png", HERE / "pictures" / "reconstructions.png")
    run_page.main([str(HERE / page) for page in PAGES], kept="runs/pages")


if __name__ == "__main__":
    main()
