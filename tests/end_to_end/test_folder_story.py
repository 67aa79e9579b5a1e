"""The story of a stranger with a folder of colour photographs: train, look, evaluate, reconstruct, and bad input."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from latentia.cli.main import cli
from latentia.core.errors import UserError


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Tiles of the sample pictures that scikit-learn ships, of two sizes, as JPEG and PNG."""
    from sklearn.datasets import load_sample_images

    folder = tmp_path_factory.mktemp("photos")
    for name, image in zip(("china", "flower"), load_sample_images().images, strict=True):
        for number in range(30):
            top, left = 12 * number, 18 * number
            height, width = (24, 32) if number % 2 else (30, 30)
            tile = Image.fromarray(image[top : top + height, left : left + width])
            tile.save(folder / f"{name}-{number}.{'png' if number % 3 else 'jpg'}")
    (folder / "notes.txt").write_text("not an image")
    return folder


def call(*words: object) -> Result:
    result = CliRunner().invoke(cli, [str(word) for word in words])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def test_from_a_folder_to_reconstructions(photos: Path, tmp_path: Path) -> None:
    trained = call(
        "train", photos, "--epochs", 3, "--encoder.widths", "8,16", "--latent-dim", 6, "--runs", tmp_path / "runs"
    )
    run = Path(trained.stdout.splitlines()[-1])
    assert "1 of 61 files" in trained.stderr
    assert "2 different sizes and are scaled to" in trained.stderr
    assert (run / "figures" / "reconstructions.png").is_file()
    assert "PCA-6" in call("evaluate", run).stdout
    call("reconstruct", run, photos, "-o", tmp_path / "out")
    for path in photos.glob("*.*g"):
        with Image.open(path) as before, Image.open(tmp_path / "out" / path.name) as after:
            assert (before.size, before.mode, before.format) == (after.size, after.mode, after.format)


def test_images_without_alpha_go_to_a_model_of_images_with_it(photos: Path, tmp_path: Path) -> None:
    """One transparent picture gives all images of a training folder four channels; later folders need not have any."""
    for place in ("all", "later/blue", "later/green"):
        (tmp_path / place).mkdir(parents=True)
    for number, path in enumerate(sorted(photos.glob("*.png"))[:24]):
        with Image.open(path) as image:
            image.resize((12, 12)).save(tmp_path / "all" / path.name)
            image.convert("L").save(tmp_path / ("later/blue" if number % 2 else "later/green") / path.name)
    Image.new("RGBA", (12, 12), (10, 20, 30, 40)).save(tmp_path / "all" / "clear.png")
    small = ("--epochs", 2, "--encoder.widths", "4,8", "--latent-dim", 3, "--no-figures", "--runs", tmp_path / "runs")
    run = call("train", tmp_path / "all", *small).stdout.splitlines()[-1]
    call("reconstruct", run, tmp_path / "later", "-o", tmp_path / "out")
    with Image.open(next((tmp_path / "out").rglob("*.png"))) as back:
        assert back.mode == "L"
    tuned = call("finetune", run, tmp_path / "later", "--epochs", 1, "--no-figures", "--runs", tmp_path / "runs")
    answered = call("predict", tuned.stdout.splitlines()[-1], tmp_path / "later", "-o", tmp_path / "answers.csv")
    assert answered.exit_code == 0
    assert len((tmp_path / "answers.csv").read_text().splitlines()) == 25


def test_one_image_can_be_trained_on(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (9, 9, 3), dtype=np.uint8)).save(
        tmp_path / "one" / "a.png"
    )
    result = call("train", tmp_path / "one", "--epochs", 2, "--runs", tmp_path / "runs")
    assert "a single image: nothing can be set aside" in result.stderr
    assert "training: loss" in result.stderr
    assert Path(result.stdout.splitlines()[-1]).is_dir()


@pytest.mark.parametrize("shape", [(4, 1, 1), (4, 3, 2), (4, 5, 64)])
def test_the_smallest_images_are_padded(tmp_path: Path, shape: tuple[int, ...]) -> None:
    np.save(tmp_path / "x.npy", np.random.default_rng(0).random(shape))
    result = call("train", tmp_path / "x.npy", "--epochs", 1, "--runs", tmp_path / "runs")
    assert Path(result.stdout.splitlines()[-1]).is_dir()


def test_nan_pixels_are_refused_before_training(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.full((4, 8, 8), np.nan))
    with pytest.raises(UserError, match="holds NaN or infinite pixels"):
        call("train", tmp_path / "x.npy", "--runs", tmp_path / "runs")
    assert not (tmp_path / "runs").exists()


def test_depth_and_channels_survive(tmp_path: Path) -> None:
    deep = np.random.default_rng(0).integers(0, 4096, (12, 10, 10), dtype=np.uint16)
    np.save(tmp_path / "deep.npy", deep)
    run = call("train", tmp_path / "deep.npy", "--epochs", 1, "--runs", tmp_path / "runs").stdout.splitlines()[-1]
    call("reconstruct", run, tmp_path / "deep.npy", "-o", tmp_path / "out")
    with Image.open(tmp_path / "out" / "000000.png") as back:
        assert back.mode.startswith("I;16")
        assert back.size == (10, 10)
