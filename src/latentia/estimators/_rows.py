"""What the estimators share: rows of numbers, or images of any layout, as an :class:`ImageSet`, and back."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.utils.validation import check_is_fitted, validate_data

from latentia.core.errors import UserError
from latentia.data.imageset import ImageSet, Numbers, channels_last

STORED = (np.float32, np.float64, np.uint8, np.uint16)


class ImageRows:
    """A mixin for estimators with the parameter ``image_shape``."""

    image_shape: tuple[int, ...] | None
    _given_shape: tuple[int, ...]
    _given_dtype: np.dtype[Any]

    def _validated(self, X: Any, *, reset: bool, least: int = 1) -> npt.NDArray[Any]:
        """Return ``X`` as it came, an array ``[N, …]``; what was seen in ``fit`` must come again."""
        if hasattr(X, "detach"):
            X = X.detach().cpu().numpy()
        if isinstance(X, ImageSet):
            X = X.pixels
        array: npt.NDArray[Any] = validate_data(
            self, X, reset=reset, allow_nd=True, dtype=list(STORED), ensure_min_samples=least
        )
        if array.ndim not in (2, 3, 4):
            raise UserError(
                f"X has the shape {array.shape}, but it is rows [N, features] or images [N, H, W], [N, H, W, C], [N, C, H, W]"
            )
        if reset:
            self._given_shape, self._given_dtype = array.shape[1:], array.dtype
        elif array.shape[1:] != self._given_shape:
            raise UserError(f"images have the shape {array.shape[1:]}, but fit saw {self._given_shape}")
        return array

    def _images(self, array: npt.NDArray[Any]) -> ImageSet:
        """Return rows or images as ``[N, C, H, W]`` in the dtype that ``fit`` saw."""
        shape = self._image_shape(array.shape[1:])
        pixels = self._as_seen(array).reshape(len(array), *shape)
        if len(shape) == 2:
            pixels = pixels[:, None]
        elif channels_last(shape):
            pixels = np.ascontiguousarray(np.moveaxis(pixels, -1, 1))
        return ImageSet(pixels, Numbers(len(pixels)), np.arange(len(pixels)))

    def _as_given(self, pixels: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Return pixels ``[N, C, H, W]`` in the layout and dtype of the images that ``fit`` saw."""
        if channels_last(self._image_shape(self._given_shape)):
            pixels = np.moveaxis(pixels, 1, -1)
        return pixels.reshape(len(pixels), *self._given_shape).astype(self._given_dtype, copy=False)

    def _seen(self, X: Any) -> ImageSet:
        check_is_fitted(self)
        return self._images(self._validated(X, reset=False))

    def _image_shape(self, given: tuple[int, ...]) -> tuple[int, ...]:
        """Return ``(H, W)``, ``(C, H, W)`` or ``(H, W, C)``."""
        if len(given) > 1:
            return given
        shape = tuple(self.image_shape) if self.image_shape is not None else (1, given[0])
        if len(shape) not in (2, 3) or int(np.prod(shape)) != given[0]:
            raise UserError(f"rows of {given[0]} values are no images of the shape {shape}")
        return shape

    def _as_seen(self, array: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Return values of the dtype that ``fit`` saw, so that the same number always stands for the same grey.

        Raises:
            UserError: ``fit`` saw whole numbers, and these are others.
        """
        wanted = np.dtype(np.float32) if self._given_dtype.kind == "f" else self._given_dtype
        if array.dtype == wanted:
            return array
        stored = array.astype(wanted)
        if wanted.kind == "u" and not np.array_equal(stored, array):
            raise UserError(
                f"X holds {array.dtype} values that are no {wanted}, but fit saw {wanted}: bring both to one dtype and range"
            )
        return stored
