"""What a person sees while training: one bar for the whole run, and one line for each epoch, on stderr."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import Any, Self

from latentia.core.bars import tqdm

LOOK_EVERY = 0.5  # seconds between two looks at the loss; each look waits for the device


class ProgressBar:
    """Counts images; looks at the loss only now and then, so that the device is not kept waiting."""

    def __init__(self, epochs: int, images: int, done: int, quiet: bool) -> None:
        self.epochs, self.quiet = epochs, quiet
        terminal = sys.stderr.isatty()
        notebook = "ipykernel" in sys.modules
        self._bar: Any = tqdm(
            total=epochs * images,
            initial=done,
            unit=" images",
            unit_scale=True,
            disable=quiet or not (terminal or notebook),  # a log gets the lines of the epochs only
            dynamic_ncols=True,
            leave=terminal,
        )
        self._looked = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.close()

    def advance(self, images: int) -> bool:
        """Count ``images``; return whether it is time to look at the loss."""
        self._bar.update(images)
        now = time.monotonic()
        if now - self._looked < LOOK_EVERY:
            return False
        self._looked = now
        return True

    def show(self, epoch: int, loss: float) -> None:
        """Show the running loss of ``epoch`` (from 0)."""
        self._bar.set_description_str(f"epoch {epoch + 1}/{self.epochs} loss {loss:.4g}", refresh=False)

    def epoch_line(self, record: dict[str, Any]) -> None:
        """Print what an epoch came to."""
        if self.quiet:
            return
        judged = record.get("validation") or record["train"]
        where = "validation" if "validation" in record else "training"
        figures = "  ".join(f"{name} {value:.5g}" for name, value in judged.items())
        rate = record["images_per_second"]
        trained = "" if judged is record["train"] else f"train loss {record['train']['loss']:.5g}  "
        self._bar.write(
            f"epoch {record['epoch']:>3}/{self.epochs}  {trained}{where}: {figures}  {rate:,.0f} images/s",
            file=sys.stderr,
        )
