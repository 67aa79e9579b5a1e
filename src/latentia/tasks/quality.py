"""How near restored images are to clean ones: PSNR, and SSIM (Wang et al. 2004, with their Gaussian window of 1.5 pixels)."""

from __future__ import annotations

import dataclasses
import importlib.util
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from latentia.core.errors import UserError
from latentia.core.notebook import Printed

WINDOW = 11  # pixels: the side of SSIM's window


def has_skimage() -> bool:
    """Return whether scikit-image, the extra ``classical``, is installed."""
    return importlib.util.find_spec("skimage") is not None


def need_skimage(what: str) -> None:
    """Raise a :class:`UserError` that says how to install scikit-image where it is missing."""
    if not has_skimage():
        raise UserError(f"{what} needs scikit-image: install it with pip install 'latentia[classical]'")


def psnr(clean: npt.NDArray[np.float32], other: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """Return the peak signal-to-noise ratio in dB of images ``[N, C, H, W]`` in [0, 1], at most 120 (equal images)."""
    mse = np.square(clean - other, dtype=np.float64).mean(axis=(1, 2, 3))
    return -10.0 * np.log10(np.maximum(mse, 1e-12))


def ssim(clean: npt.NDArray[np.float32], other: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """Return the structural similarity of images ``[N, C, H, W]`` in [0, 1], the mean over channels: -1 to 1 (equal).

    Images of a side below 11 pixels get a uniform window of their own (odd) size, those below 3 NaN.
    """
    from skimage.metrics import structural_similarity

    smallest = min(clean.shape[2:])
    if smallest < 3:
        return np.full(len(clean), np.nan)
    options: dict[str, Any] = {"channel_axis": 0, "data_range": 1.0}
    if smallest >= WINDOW:
        options |= {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
    else:
        options |= {"win_size": smallest - 1 + smallest % 2}
    return np.array([structural_similarity(a, b, **options) for a, b in zip(clean, other, strict=True)])


@dataclasses.dataclass(frozen=True)
class Quality(Printed):
    """The figures of several ways to restore the same images.

    Attributes:
        psnr: ``{way: float64 [N]}``, dB.
        ssim: ``{way: float64 [N]}``, or empty without scikit-image.
        notes: sentences that belong under the table.
    """

    psnr: Mapping[str, npt.NDArray[np.float64]]
    ssim: Mapping[str, npt.NDArray[np.float64]]
    notes: tuple[str, ...] = ()

    @property
    def winner(self) -> str:
        """The way with the highest mean PSNR."""
        return max(self.psnr, key=lambda way: float(self.psnr[way].mean()))

    def to_json(self) -> dict[str, Any]:
        """Return the means, the winner and how many images there are."""
        rows = {
            way: {"psnr": float(values.mean()), **({"ssim": float(self.ssim[way].mean())} if self.ssim else {})}
            for way, values in self.psnr.items()
        }
        return {"count": len(self.psnr[self.winner]), "rows": rows, "winner": self.winner, "notes": list(self.notes)}

    def __str__(self) -> str:
        width = max(len(way) for way in self.psnr)
        best = np.stack(list(self.psnr.values())).argmax(0)
        head = f"{'':<{width}}      PSNR{'    SSIM' if self.ssim else ''}   best of all on"
        lines = [f"{len(best):,} images beside the clean ones (means)", head]
        for place, (way, values) in enumerate(self.psnr.items()):
            similar = f"  {self.ssim[way].mean():6.3f}" if self.ssim else ""
            lines.append(f"{way:<{width}}  {values.mean():5.2f} dB{similar}   {(best == place).mean():6.1%}")
        return "\n".join([*lines, f"highest PSNR: {self.winner}", *self.notes])


def joined(parts: Sequence[Quality]) -> Quality:
    """Return the figures of several groups of images as one."""
    ways = list(parts[0].psnr)
    return Quality(
        {way: np.concatenate([part.psnr[way] for part in parts]) for way in ways},
        {way: np.concatenate([part.ssim[way] for part in parts]) for way in parts[0].ssim},
        tuple(dict.fromkeys(note for part in parts for note in part.notes)),
    )


def quality(
    clean: npt.NDArray[np.float32], ways: Mapping[str, npt.NDArray[np.float32]], notes: Sequence[str] = ()
) -> Quality:
    """Return PSNR and SSIM of each way; all images ``[N, C, H, W]`` in [0, 1]."""
    similar = {way: ssim(clean, images) for way, images in ways.items()} if has_skimage() else {}
    return Quality({way: psnr(clean, images) for way, images in ways.items()}, similar, tuple(notes))
