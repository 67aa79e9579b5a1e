"""The classical answers to noise: median, total variation (Chambolle 2004), non-local means (Buades et al. 2005), and
biharmonic filling (Damelin & Hoang 2018) where it is known which pixels are lost. They need no training images.

Strengths follow the noise, estimated from the image itself (Donoho 1995: the median of the finest diagonal differences).
Where clean images are at hand the strength is chosen on some of them, an advantage that the model has not.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from latentia.tasks.quality import psnr

Images = npt.NDArray[np.float32]  # [N, C, H, W] in [0, 1]
STRENGTHS = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0)
TUNED_ON = 16  # images


def median(images: Images, size: float = 3) -> Images:
    """Return the median of each pixel's ``size`` x ``size`` neighbourhood, channel by channel."""
    from scipy.ndimage import median_filter

    side = int(size)
    return np.asarray(median_filter(images, size=(1, 1, side, side), mode="nearest"), dtype=np.float32)


def total_variation(images: Images, strength: float = 1.0) -> Images:
    """Return the images of least total variation near ``images``, the weight ``strength`` times the noise."""
    from skimage.restoration import denoise_tv_chambolle

    done = [denoise_tv_chambolle(each, weight=max(strength * noise_of(each), 1e-6), channel_axis=0) for each in images]
    return np.stack(done).astype(np.float32)


def non_local_means(images: Images, strength: float = 1.0) -> Images:
    """Return the mean of like patches (5 x 5, at most 6 pixels away), ``h`` being ``strength`` times the noise."""
    from skimage.restoration import denoise_nl_means

    done = []
    for each in images:
        sigma = noise_of(each)
        h = max(0.8 * strength * sigma, 1e-6)
        options = {"h": h, "sigma": sigma, "patch_size": 5, "patch_distance": 6}
        if len(each) == 1:  # with a channel axis, a single channel comes back transposed (scikit-image 0.26)
            done.append(denoise_nl_means(each[0], **options)[None])
        else:
            done.append(denoise_nl_means(each, channel_axis=0, **options))
    return np.stack(done).astype(np.float32)


def biharmonic(images: Images, lost: npt.NDArray[np.bool_]) -> Images:
    """Return the images with the pixels ``lost [N, C, H, W]`` filled from the others, channel by channel."""
    from skimage.restoration import inpaint_biharmonic

    filled = images.copy()
    for index in np.ndindex(*images.shape[:2]):
        if lost[index].any() and not lost[index].all():
            # it takes no read-only arrays
            filled[index] = inpaint_biharmonic(images[index].copy(), lost[index].copy())
    return np.clip(filled, 0.0, 1.0)


def noise_of(image: npt.NDArray[np.float32]) -> float:
    """Return the standard deviation of the noise in ``image [C, H, W]``, estimated from diagonal differences."""
    a, b, c, d = image[:, :-1, :-1], image[:, :-1, 1:], image[:, 1:, :-1], image[:, 1:, 1:]
    details = np.abs(a - b - c + d) / 2
    found = float(np.median(details)) / 0.6745 if details.size else 0.0
    # where more than half of an image is flat the median is zero: the mean says more
    return found or float(details.mean() if details.size else 0.0)


WAYS: dict[str, tuple[Callable[[Images, float], Images], tuple[float, ...]]] = {
    "median": (median, (3, 5)),
    "total variation": (total_variation, STRENGTHS),
    "non-local means": (non_local_means, STRENGTHS),
}


def best_strength(way: str, noisy: Images, clean: Images) -> float:
    """Return the strength at which ``way`` is best on up to 16 of the images ``[N, C, H, W]``, evenly spaced."""
    answer, strengths = WAYS[way]
    some = np.linspace(0, len(noisy) - 1, min(len(noisy), TUNED_ON)).astype(int)
    judged = {strength: psnr(clean[some], answer(noisy[some], strength)).mean() for strength in strengths}
    return max(judged, key=judged.__getitem__)


def classical_answers(noisy: Images, clean: Images, lost: npt.NDArray[np.bool_] | None = None) -> dict[str, Images]:
    """Return ``{way: images}``: each way at the strength that is best on up to 16 of the clean images.

    Args:
        noisy, clean: ``[N, C, H, W]`` in [0, 1].
        lost: where pixels are lost, if that is known.
    """
    found = {name: answer(noisy, best_strength(name, noisy, clean)) for name, (answer, _) in WAYS.items()}
    if lost is not None:
        found["biharmonic filling"] = biharmonic(noisy, lost)
    return found
