"""What titles say of images, and :func:`displayable`, which every picture needs."""

from __future__ import annotations

from latentia.data.display import displayable
from latentia.data.imageset import PixelFormat

__all__ = ["displayable", "kind_of"]


def kind_of(pixel_format: PixelFormat) -> str:
    """Return what a title says of the images."""
    shown = ", the mean of the channels" if pixel_format.channels > 4 else ""
    plural = "s" if pixel_format.channels > 1 else ""
    return (
        f"{pixel_format.height} x {pixel_format.width} pixels, {pixel_format.channels} channel{plural}, "
        f"{pixel_format.dtype}{shown}"
    )
