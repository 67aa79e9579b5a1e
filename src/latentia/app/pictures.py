"""What the page shows of an image: the image, its reconstruction and where they differ, as PNG."""

from __future__ import annotations

import base64
import io
import threading
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image

from latentia.app.colours import HEAT
from latentia.data.imageset import ImageSet, PixelFormat
from latentia.model import Autoencoder
from latentia.report.images import displayable
from latentia.tasks.anomaly_scores import Normal
from latentia.tasks.apply import format_for, to_pixels
from latentia.tasks.detect import HOT, heat_maps
from latentia.tasks.reconstruct import reconstruct

KINDS = ("image", "reconstruction", "error", "odd")
LONGEST = 512  # pixels of a picture's longer side
KEPT = 512  # reconstructions in memory
SCALE_FROM = 256  # images that the scale of all heat maps is taken over


class Pictures:
    """Pictures of a set of images by their rows; reconstructions are made a page at a time and kept for a while."""

    def __init__(self, model: Autoencoder, images: ImageSet) -> None:
        self._model, self._images = model, images
        self.format = format_for(model, images)
        self._kept: OrderedDict[int, npt.NDArray[Any]] = OrderedDict()
        self._top: float | None = None
        self._expected: list[int] = []
        self._guard = threading.RLock()
        self.normal: Normal | None = None  # what is normal, once that has been learned

    def png(self, kind: str, row: int) -> bytes:
        """Return one of :data:`KINDS` of an image as PNG.

        Raises:
            KeyError: there is no such kind or image.
        """
        if kind not in KINDS or not 0 <= row < len(self._images):
            raise KeyError(f"{kind} {row}")
        if kind == "odd":
            if self.normal is None:
                raise KeyError(f"{kind} {row}: what is normal has not been learned")
            return png(heat(heat_maps(self._model, self._images.select([row]), self.normal)[0], HOT))
        if kind == "image":
            return png(shown(np.asarray(self._images.pixels[row]), self.format))
        back = self._reconstruction(row)
        if kind == "reconstruction":
            return png(shown(back, self.format))
        return png(heat(error_map(np.asarray(self._images.pixels[row]), back, self.format), self.top))

    def expect(self, rows: Sequence[int]) -> None:
        """Say what a page shows: when one of these is asked for, all are reconstructed in one go."""
        self._expected = list(rows)

    def _reconstruction(self, row: int) -> npt.NDArray[Any]:
        with self._guard:
            expected = self._expected
            rows = expected if row in expected else [row]
            missing = [row for row in rows if row not in self._kept]
            if missing:
                backs = reconstruct(self._model, self._images.select(missing)).images.pixels
                self._kept.update(zip(missing, backs, strict=True))
            for each in rows:
                self._kept.move_to_end(each)
            while len(self._kept) > max(KEPT, len(rows)):
                self._kept.popitem(last=False)
            return self._kept[row]

    @property
    def top(self) -> float:
        """The error that heat maps show as their brightest: one scale for all images, so that they can be compared."""
        with self._guard:
            if self._top is None:
                rows = np.linspace(0, len(self._images) - 1, min(len(self._images), SCALE_FROM)).astype(np.int64)
                some = self._images.select(rows)
                backs = reconstruct(self._model, some).images.pixels
                pairs = zip(some.pixels, backs, strict=True)
                errors = np.stack([error_map(image, back, self.format) for image, back in pairs])
                self._top = max(float(np.quantile(errors, 0.995)), 1e-6)
            return self._top


def error_map(image: npt.NDArray[Any], back: npt.NDArray[Any], pixel_format: PixelFormat) -> npt.NDArray[np.float32]:
    """Return where ``[C, H, W]`` differ: the absolute difference in units of the range, averaged over channels, ``[H, W]``."""
    difference = pixel_format.to_unit(np.asarray(back)) - pixel_format.to_unit(np.asarray(image))
    return np.asarray(np.abs(difference).mean(axis=0), dtype=np.float32)


def heat(errors: npt.NDArray[np.float32], top: float) -> npt.NDArray[np.uint8]:
    """Return errors ``[H, W]`` as colours ``[H, W, 3]``, from black (none) over red to yellow (``top`` and above)."""
    places = np.clip(np.nan_to_num(errors) / top * 255, 0, 255).astype(np.uint8)
    return HEAT[places]


def shown(pixels: npt.NDArray[Any], pixel_format: PixelFormat) -> npt.NDArray[np.uint8]:
    """Return ``[C, H, W]`` as a screen shows it: uint8, grey ``[H, W]`` or colour ``[H, W, 3]``."""
    return np.rint(displayable(pixels[None], pixel_format)[0] * 255).astype(np.uint8)


def png(picture: npt.NDArray[np.uint8]) -> bytes:
    """Return uint8 grey ``[H, W]`` or colour ``[H, W, 3]`` as PNG, made smaller where it is larger than a screen needs."""
    image = Image.fromarray(np.ascontiguousarray(picture))
    image.thumbnail((LONGEST, LONGEST))
    buffer = io.BytesIO()
    image.save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


def data_url(picture: npt.NDArray[np.uint8]) -> str:
    """Return a picture as the address of an image element."""
    return "data:image/png;base64," + base64.b64encode(png(picture)).decode("ascii")


def decoded(model: Autoencoder, codes: npt.NDArray[np.float32]) -> npt.NDArray[Any]:
    """Return the pixels ``[B, C, H, W]`` of codes ``[B, D]``, in the model's own format."""
    z = torch.from_numpy(np.ascontiguousarray(codes, dtype=np.float32)).reshape(-1, *model.code_shape)
    with torch.inference_mode():
        return to_pixels(model.decode(model.bottleneck.nearest(z.to(next(model.parameters()).device))), model.format)
