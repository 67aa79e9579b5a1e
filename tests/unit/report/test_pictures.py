from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from latentia.data.imageset import ImageSet, from_array
from latentia.report.best_and_worst import best_and_worst
from latentia.report.cluster_pictures import examples
from latentia.report.feature_maps import feature_maps
from latentia.report.filters import draw_filters
from latentia.report.images import displayable
from latentia.report.loss_graph import loss_graph
from latentia.report.random_images import random_images
from latentia.report.reconstructions import corrupted_and_restored, reconstructions
from latentia.report.style import log_where_wide, new_figure, save, short_name

RANDOM = np.random.default_rng(0)


def some(channels: int = 1, dtype: str = "uint8", count: int = 9) -> ImageSet:
    return from_array((RANDOM.random((count, channels, 12, 10)) * 255).astype(dtype), np.arange(count) % 3)


@pytest.mark.parametrize("channels", [1, 2, 3, 4, 6])
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_every_kind_of_image_can_be_drawn(tmp_path: Path, channels: int, dtype: str) -> None:
    images = some(channels, dtype)
    shown = displayable(images.pixels, images.format)
    assert shown.min() >= 0
    assert shown.max() <= 1
    errors = RANDOM.random(9)
    for number, figure in enumerate(
        [
            random_images(images),
            reconstructions(images, images, errors),
            best_and_worst(images, images, errors),
            corrupted_and_restored(images, images, images),
        ]
    ):
        path = save(figure, tmp_path / f"{number}.png")
        with Image.open(path) as picture:
            assert picture.width > 300
            assert picture.height > 80


def test_a_grid_has_an_image_for_each() -> None:
    axes = random_images(some(count=7), n=5).axes[0]
    assert len(axes.images) == len(axes.texts) == 5
    assert {text.get_text() for text in axes.texts} <= {"0", "1", "2"}
    assert len(random_images(some(count=1)).axes[0].images) == 1


def test_images_in_rows_keep_apart_and_lie_on_the_figure() -> None:
    figure = best_and_worst(some(), some(), RANDOM.random(9), n=3)
    axes, (wide, tall) = figure.axes[0], figure.get_size_inches()
    figure.draw_without_rendering()
    boxes = [image.get_extent() for image in axes.images]
    assert len(boxes) == 12
    for left, right, bottom, top in boxes:
        assert 0 < left < right < wide and 0 < top < bottom < tall
        assert (bottom - top) / (right - left) == pytest.approx(12 / 10)
    for at, (left, right, bottom, top) in enumerate(boxes):
        for other_left, other_right, other_bottom, other_top in boxes[at + 1 :]:
            assert right <= other_left or other_right <= left or bottom <= other_top or other_bottom <= top
    heading = figure._suptitle.get_window_extent()  # type: ignore[attr-defined]
    for text in axes.texts:
        box = text.get_window_extent()
        assert box.x0 >= 0 and box.x1 <= wide * figure.dpi and box.y0 >= 0 and box.y1 < heading.y0


def test_the_seed_chooses_the_images() -> None:
    def drawn(seed: int) -> list[bytes]:
        return [image.get_array().tobytes() for image in random_images(some_fixed, n=4, seed=seed).axes[0].images]

    some_fixed = some(count=30)
    assert drawn(1) == drawn(1) != drawn(2)


def test_names_are_shown_as_they_are(tmp_path: Path) -> None:
    images = from_array(some().pixels, names=[f"$a_{number}$ <b>.png" for number in range(9)])
    path = save(best_and_worst(images, images, RANDOM.random(9)), tmp_path / "names.png")
    assert path.stat().st_size > 1000


@pytest.mark.parametrize(
    "history",
    [
        [{"epoch": 1, "train": {"loss": 5.0}}],
        [{"epoch": e, "train": {"loss": -100.0 + e}, "validation": {"loss": -90.0, "mse": 0.1}} for e in (1, 2)],
        [
            {"epoch": e, "train": {"loss": 9 / e, "kl": 1.0 * e}, "validation": {"loss": float("nan"), "kl": 2.0}}
            for e in range(1, 30)
        ],
    ],
)
def test_the_loss_graph_takes_any_history(tmp_path: Path, history: list[dict[str, object]]) -> None:
    figure = loss_graph(history, "a run")
    assert figure.axes[0].get_xlabel() == "epoch"
    save(figure, tmp_path / "loss.png")


def test_the_best_epoch_is_the_one_marked() -> None:
    history = [{"epoch": e, "train": {"loss": 1.0}, "validation": {"loss": abs(e - 3) + 1.0}} for e in range(1, 7)]
    assert "best: epoch 3" in [text.get_text() for text in loss_graph(history).axes[0].texts]


def test_best_and_worst_are_in_order() -> None:
    images, errors = some(), np.array([5, 3, 8, 1, 9, 2, 7, 4, 6], dtype=float)
    figure = best_and_worst(images, images, errors, n=2)
    captions = [text.get_text().split("\n")[0] for text in figure.axes[0].texts]
    assert [text for text in captions if text[0].isdigit()] == ["1.0000", "2.0000", "9.0000", "8.0000"]


@pytest.mark.parametrize("channels", [1, 3, 5])
def test_filters_and_maps(tmp_path: Path, channels: int) -> None:
    save(draw_filters(RANDOM.normal(size=(16, channels, 4, 4)).astype(np.float32)), tmp_path / "filters.png")
    maps = {"0": RANDOM.normal(size=(16, 6, 5)).astype(np.float32), "1": np.zeros((4, 3, 3), dtype=np.float32)}
    save(feature_maps(some(channels), maps), tmp_path / "maps.png")


def test_nothing_global_is_touched() -> None:
    import matplotlib as mpl

    before = dict(mpl.rcParams)
    random_images(some())
    assert dict(mpl.rcParams) == before


def test_names_keep_what_tells_them_apart() -> None:
    assert short_name("china-0050.png") == "china-0050.png"
    assert short_name("photos/cats/cat-00012.jpeg") == "cat-00012"
    long = [short_name(f"immunohistochemistry-{number:04d}.png") for number in range(100)]
    assert len(set(long)) == 100 and max(map(len, long)) == 14
    assert short_name("") == "" and short_name("123456", 5) == "1…456"


@pytest.mark.parametrize("size", [1, 2, 3, 7, 51, 200])
def test_a_small_cluster_shares_its_members_out(size: int) -> None:
    clusters = SimpleNamespace(members=lambda cluster: np.arange(size), membership=np.linspace(1, 0, size), count=1)
    chosen = examples(clusters, 0, (36, 24, 24))  # type: ignore[arg-type]
    shown = np.concatenate(chosen)
    assert len(set(shown)) == len(shown) == min(size, 84)
    assert len(chosen[0]) and (size < 4 or all(len(places) for places in chosen))


@pytest.mark.parametrize(("values", "wide"), [([1.5, 0.002], True), ([9.0, 1.0], True), ([3.0, 2.0], False)])
def test_labels_of_a_logarithmic_axis_do_not_lie_on_one_another(values: list[float], wide: bool) -> None:
    figure = new_figure(4.6, 3.0)
    axes = figure.subplots()
    axes.plot(values)
    log_where_wide(axes, [*values, float("nan")])
    figure.draw_without_rendering()
    assert (axes.get_yscale() == "log") == wide
    ticks = [*axes.yaxis.get_major_ticks(), *axes.yaxis.get_minor_ticks()]
    low, high = axes.get_ylim()
    boxes = [
        tick.label1.get_window_extent() for tick in ticks if tick.label1.get_text() and low <= tick.get_loc() <= high
    ]
    boxes.sort(key=lambda box: box.y0)
    assert len(boxes) > 1 and all(below.y1 <= above.y0 for below, above in pairwise(boxes))
