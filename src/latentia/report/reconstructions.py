"""Rows of images over one another: originals above reconstructions; clean, corrupted and restored."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from latentia.data.imageset import ImageSet
from latentia.report.images import displayable
from latentia.report.rows_of_images import rows_of_images


def reconstructions(
    originals: ImageSet, reconstructed: ImageSet, errors: npt.NDArray[np.float64], n: int = 12, seed: int = 0
) -> Figure:
    """Return ``n`` random originals above their reconstructions, the per-pixel MSE under each."""
    chosen = np.sort(np.random.default_rng(seed).permutation(len(originals))[: min(n, len(originals))])
    return image_rows(
        [originals.select(chosen), reconstructed.select(chosen)],
        ["original", "reconstruction"],
        captions=[f"MSE {error:.4f}" for error in errors[chosen]],
        heading=f"originals above reconstructions: {originals.source}",
        subtitle=f"random images; mean per-pixel MSE of all {len(originals):,} shown to the model: {errors.mean():.5f}",
    )


def corrupted_and_restored(clean: ImageSet, corrupted: ImageSet, restored: ImageSet, n: int = 10) -> Figure:
    """Return the first ``n`` images clean, corrupted and restored, in rows, with the PSNR before and after."""
    first = np.arange(min(n, len(clean)))
    rows = [images.select(first) for images in (clean, corrupted, restored)]
    before, after = (psnr(rows[0], other) for other in rows[1:])
    return image_rows(
        rows,
        ["clean", "corrupted", "restored"],
        captions=[f"{low:.1f} to {high:.1f} dB" for low, high in zip(before, after, strict=True)],
        heading=f"clean, corrupted, restored: {clean.source}",
        subtitle="under each image its PSNR before and after",
    )


def image_rows(
    rows: Sequence[ImageSet], names: Sequence[str], *, captions: Sequence[str] = (), heading: str, subtitle: str = ""
) -> Figure:
    """Return image sets of equal length as rows with names, captions under the last."""
    return rows_of_images(
        [list(displayable(images.pixels, rows[0].format)) for images in rows],
        heading=heading,
        subtitle=subtitle,
        cell=max(0.7, min(1.5, 11.0 / len(rows[0]))),
        names=names,
        captions=[[]] * (len(rows) - 1) + [list(captions)],
    )


def psnr(clean: ImageSet, other: ImageSet) -> npt.NDArray[np.float64]:
    """Return the peak signal-to-noise ratio of each of ``other``, dB, float64 ``[N]``."""
    a, b = clean.format.to_unit(clean.pixels), clean.format.to_unit(other.pixels)
    mse = np.square(a - b, dtype=np.float64).mean(axis=(1, 2, 3))
    return -10 * np.log10(np.maximum(mse, 1e-10))
