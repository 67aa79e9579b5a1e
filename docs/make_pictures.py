"""Draws the pictures of README and guides from real runs: ``make docs``. Needs MNIST (LATENTIA_DATA, or it is downloaded)."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from latentia import train

PICTURES = Path(__file__).parent / "pictures"


def main() -> None:
    """Train and copy."""
    with tempfile.TemporaryDirectory() as runs:
        run = train("mnist", runs=runs)
        shutil.copy(run.path / "figures" / "reconstructions.png", PICTURES / "reconstructions.png")


if __name__ == "__main__":
    main()
