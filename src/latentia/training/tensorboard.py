"""Figures for TensorBoard, beside ``metrics.jsonl``, in the run's folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from latentia.core.errors import UserError

FOLDER = "tensorboard"


class Scalars:
    """Writes one record an epoch into event files below ``folder``.

    Args:
        folder: the run's folder.
        epochs: how many are done; later ones that a killed training had written are purged.

    Raises:
        UserError: TensorBoard is not installed.
    """

    def __init__(self, folder: Path, epochs: int) -> None:
        need_tensorboard()
        from torch.utils.tensorboard import SummaryWriter

        self._writer: Any = SummaryWriter(str(folder / FOLDER), purge_step=epochs + 1)

    def add(self, record: dict[str, Any]) -> None:
        """Write the figures of an epoch, under its number."""
        for part in ("train", "validation"):
            for name, value in record.get(part, {}).items():
                self._writer.add_scalar(f"{name}/{part}", value, record["epoch"])
        for name in ("learning_rate", "images_per_second"):
            self._writer.add_scalar(f"training/{name}", record[name], record["epoch"])
        self._writer.flush()


def need_tensorboard() -> None:
    """Raise a :class:`UserError` that says how to install TensorBoard where it is missing."""
    try:
        import tensorboard  # noqa: F401
    except ImportError:
        raise UserError(
            "--tensorboard needs TensorBoard, which is not installed: pip install 'latentia[tensorboard]'"
        ) from None
