"""What the estimators share: rows of numbers, or images of any layout, as an :class:`ImageSet`."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.utils.validation import check_is_fitted, validate_data

from latentia.core.errors import UserError
from latentia.data.imageset import ImageSet, from_array


class ImageRows:
    """A mixin for estimators with the parameter ``image_shape``."""

    image_shape: tuple[int, ...] | None

    def _validated(self, X: Any, *, reset: bool) -> npt.NDArray[Any]:
        if hasattr(X, "detach"):
            X = X.detach().cpu().numpy()
        if isinstance(X, ImageSet):
            X = X.pixels
        array: npt.NDArray[Any] = validate_data(
            self,
            X,
            reset=reset,
            allow_nd=True,
            dtype=[np.float32, np.float64, np.uint8, np.uint16],
            ensure_min_samples=1,
        )
        if reset:
            self._given_shape = array.shape[1:]
        elif array.ndim > 2 and array.shape[1:] != self._given_shape:
            raise UserError(f"images have the shape {array.shape[1:]}, but fit saw {self._given_shape}")
        return array

    def _images(self, array: npt.NDArray[Any]) -> ImageSet:
        if array.ndim == 2:
            shape = self.image_shape if self.image_shape is not None else (1, array.shape[1])
            if int(np.prod(shape)) != array.shape[1]:
                raise UserError(f"rows of {array.shape[1]} values are no images of the shape {tuple(shape)}")
            array = array.reshape(len(array), *((1, *shape) if len(shape) == 2 else shape))
            images = array.astype(np.float32) if array.dtype == np.float64 else array
            return ImageSet(images, [str(i) for i in range(len(images))], np.arange(len(images)))
        return from_array(array)

    def _seen(self, X: Any) -> ImageSet:
        check_is_fitted(self)
        return self._images(self._validated(X, reset=False))
