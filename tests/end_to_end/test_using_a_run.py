"""What a trained run is good for, from the command line: in one process, since a start costs seconds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from latentia import load, open_run, train
from latentia.cli.main import cli
from latentia.runs import Run


def latentia(*words: object) -> Result:
    return CliRunner().invoke(cli, [str(word) for word in words], catch_exceptions=True)


def last_line(*words: object) -> str:
    done = latentia(*words)
    assert done.exit_code == 0, (done.output, done.exception)
    return done.stdout.splitlines()[-1]


def sentence(*words: object) -> str:
    done = latentia(*words)
    assert done.exit_code != 0
    return str(done.exception)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Run]:
    folder = tmp_path_factory.mktemp("runs")
    return {
        preset: train("digits", preset, runs=folder, epochs=2, figures=False, quiet=True, widths="8x16", latent_dim=4)
        for preset in ("cae", "dae", "vae")
    }


def test_generate_one_picture_or_many(runs: dict[str, Run], tmp_path: Path) -> None:
    for preset in ("cae", "vae"):
        assert last_line("generate", runs[preset].path, "-n", 5, "-o", tmp_path / "x.png") == str(tmp_path / "x.png")
        assert last_line("generate", runs[preset].path, "-n", 5, "-o", tmp_path / preset) == str(tmp_path / preset)
        files = sorted((tmp_path / preset).iterdir())
        expected = open_run(runs[preset].path).generate(5)
        assert [np.asarray(Image.open(file)).tolist() for file in files] == expected.pixels[:, 0].tolist()
    assert (runs["cae"].path / "mixture.safetensors").is_file()
    assert not (runs["vae"].path / "mixture.safetensors").exists(), "a model with a prior needs no mixture"


def test_generated_images_are_as_those_trained_on(tmp_path: Path) -> None:
    pixels = (load("digits").pixels.repeat(2, axis=1)[:200] * 100.0 - 50.0).astype(np.float32)
    run = train(pixels, runs=tmp_path, epochs=1, figures=False, quiet=True, widths="8x16", latent_dim=3)
    made = run.generation(4, data=pixels).images
    assert made.pixels.dtype == np.float32 and made.pixels.shape == (4, 2, 8, 8)
    assert made.pixels.min() >= pixels.min() and made.pixels.max() <= pixels.max()
    assert made.pixels.mean() > 1000, "the range is the one trained on"
    assert np.array_equal(open_run(run.path).generate(4).pixels, made.pixels), "the mixture is kept"


def test_generate_says_what_is_missing(runs: dict[str, Run], tmp_path: Path) -> None:
    assert "neither a folder nor a .png file" in sentence("generate", runs["vae"].path, "-o", tmp_path / "x.jpg")
    pixels = np.zeros((20, 8, 8), dtype=np.uint8)
    run = train(pixels, runs=tmp_path, epochs=1, figures=False, quiet=True, widths="8x16", latent_dim=3)
    assert "was trained on images in memory" in sentence("generate", run.path, "-o", tmp_path / "x.png")


def put(folder: Path, name: str, size: tuple[int, int], mode: str = "L", scale: float = 1.0) -> None:
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    rows, columns = np.indices(size)
    pixels = (scale * (128 + 100 * np.sin(rows / 5) * np.cos(columns / 7))).astype(np.uint8)
    Image.fromarray(pixels).convert(mode).save(folder / name)


def test_denoise_gives_back_what_went_in(runs: dict[str, Run], tmp_path: Path) -> None:
    sizes = {"a.png": (8, 8), "deep/b.bmp": (8, 8), "large.tif": (300, 41), "odd.png": (23, 17)}
    for name, size in sizes.items():
        put(tmp_path / "noisy", name, size, scale=0.5)
        put(tmp_path / "clean", name, size)
        put(tmp_path / "mask", name, size)
    for preset in ("dae", "vae"):
        out = tmp_path / preset
        assert last_line("denoise", runs[preset].path, tmp_path / "noisy", "-o", out) == str(out)
        for name in sizes:
            with Image.open(tmp_path / "noisy" / name) as before, Image.open(out / name) as after:
                assert (before.size, before.mode, before.format) == (after.size, after.mode, after.format)
    with Image.open(tmp_path / "noisy" / "odd.png") as picture:
        alone = runs["dae"].denoise(np.asarray(picture)[None])
    with Image.open(tmp_path / "dae" / "odd.png") as picture:
        assert np.array_equal(np.asarray(picture), alone.pixels[0, 0]), "each image is restored at its own size"


def test_denoise_beside_clean_images_and_classical_ways(runs: dict[str, Run], tmp_path: Path) -> None:
    pytest.importorskip("skimage")
    for name, size in {"a.png": (16, 12), "b.png": (16, 12), "c.png": (20, 20)}.items():
        put(tmp_path / "noisy", name, size, scale=0.5)
        put(tmp_path / "clean", name, size)
        put(tmp_path / "mask", name, size)
    words = ["denoise", runs["dae"].path, tmp_path / "noisy", "-o", tmp_path / "out", "--clean", tmp_path / "clean"]
    done = latentia(*words, "--classical", "--mask", tmp_path / "mask")
    assert done.exit_code == 0, done.exception
    for part in ("3 images beside", "SSIM", "as given", "this model", "non-local means", "biharmonic", "highest PSNR:"):
        assert part in done.stdout
    assert "median" not in latentia(*words).stdout
    assert "trained without corruption" in latentia("denoise", runs["vae"].path, *words[2:]).stderr
    assert "give them with --clean" in sentence(*words[:5], "--classical")
    assert "give --classical, too" in sentence(*words, "--mask", tmp_path / "mask")
    (tmp_path / "clean" / "c.png").unlink()
    assert "'c.png' of" in sentence(*words)


def test_walks_are_drawn(runs: dict[str, Run], tmp_path: Path) -> None:
    for preset in ("cae", "dae", "vae"):
        target = tmp_path / f"{preset}.png"
        words = ["interpolate", runs[preset].path, "digits", "-o", target, "-n", 3, "--steps", 5]
        assert last_line(*words) == str(target)
    for words in (["digits", "--units", "0,2"], ["-n", 3, "--image", 7]):
        assert last_line("traverse", runs["vae"].path, *words, "-o", tmp_path / "t.png") == str(tmp_path / "t.png")
    for file in tmp_path.glob("*.png"):
        with Image.open(file) as picture:
            assert picture.width > 400, file


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["traverse", "dae"], "the code is spatial"),
        (["traverse", "vae", "--units", "a"], "the units 'a' cannot be read"),
        (["traverse", "vae", "--units", "4"], "there is no unit 4: the code's units are 0 to 3"),
        (["traverse", "vae", "--image", "9999"], "there is no image 9999"),
    ],
)
def test_walks_say_what_is_wrong(runs: dict[str, Run], tmp_path: Path, words: list[str], expected: str) -> None:
    assert expected in sentence(words[0], runs[words[1]].path, *words[2:], "-o", tmp_path / "x.png")
    assert "one picture is drawn" in sentence(words[0], runs[words[1]].path, "-o", tmp_path)


def test_density_is_printed(runs: dict[str, Run]) -> None:
    done = latentia("evaluate", runs["vae"].path, "--density", "-K", 20, "-n", 30)
    assert done.exit_code == 0, done.exception
    for part in ("test split, 30 images, 20 samples", "log-likelihood", "rate", "K=10 ", "active units", "of 4"):
        assert part in done.stdout
    assert '"units": 4' in latentia("evaluate", runs["vae"].path, "--density", "-K", 5, "--json").stdout
    assert "needs a posterior" in sentence("evaluate", runs["cae"].path, "--density")


def test_a_run_draws_what_its_preset_is_about(tmp_path: Path) -> None:
    small = {"epochs": 1, "quiet": True, "widths": "8x16", "latent_dim": 4, "runs": tmp_path}
    drawn = {path.stem for path in (train("digits", "denoising-vae", **small).path / "figures").iterdir()}
    assert {"corrupted-and-restored", "samples", "loss"} <= drawn
    plain = {path.stem for path in (train("digits", "cae", **small).path / "figures").iterdir()}
    assert not {"corrupted-and-restored", "samples"} & plain
