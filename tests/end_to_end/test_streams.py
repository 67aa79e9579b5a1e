"""Streams from end to end: train, stop, go on, evaluate, embed; the very images that an undisturbed run would have seen."""

from __future__ import annotations

import hashlib
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from latentia import crossvalidate, load, open_run, train
from latentia.cli.main import cli
from latentia.core.errors import DamagedData, UserError
from latentia.data.batches import Batch
from latentia.data.shards.packing import pack
from latentia.training.trainer import Trainer

SETTINGS = {"epochs": 4, "encoder__widths": (8, 16), "batch_size": 64, "quiet": True, "figures": False}


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder: Path = tmp_path_factory.mktemp("digits") / "shards"
    pack("digits", folder, images_per_shard=250, quiet=True)
    return folder


def digest(run: Path) -> str:
    return hashlib.sha256((run / "model.safetensors").read_bytes()).hexdigest()


def test_a_run_on_shards_is_like_any_other(shards: Path, tmp_path: Path) -> None:
    run = train(f"wds:{shards}", runs=tmp_path, **{**SETTINGS, "figures": True})
    assert (run.path / "report.html").is_file() and len(list((run.path / "figures").glob("*.png"))) >= 4
    assert run.history[-1]["validation"]["loss"] < run.history[0]["validation"]["loss"]
    same = open_run(run.path)
    evaluation = same.evaluate()
    assert evaluation.split == "test" and evaluation.count == len(load(f"wds:{shards}", "test")) > 100
    images = load(f"wds:{shards}")
    codes = same.embed(f"wds:{shards}")
    in_memory = load(np.asarray(images.pixels))
    assert np.allclose(codes, same.embed(in_memory), atol=1e-6)
    direct = same.reconstruction(in_memory.select(np.arange(50))).errors
    assert np.allclose(same.reconstruction(images.select(np.arange(50))).errors, direct, atol=1e-7)


def test_evaluation_of_a_stream_is_that_of_the_same_images_in_memory(shards: Path, tmp_path: Path) -> None:
    run = train(f"wds:{shards}", runs=tmp_path, **{**SETTINGS, "epochs": 1})
    stream = load(f"wds:{shards}", "test")
    one, other = run.evaluate(stream, "all"), run.evaluate(stream.select(np.arange(len(stream))), "all")
    assert one.reconstruction_mse == pytest.approx(other.reconstruction_mse, rel=1e-6)
    assert one.figures == pytest.approx(other.figures, rel=1e-6)
    assert one.baselines == pytest.approx(other.baselines, rel=1e-6)


def test_cross_validation_takes_a_stream_that_fits_into_memory(shards: Path, tmp_path: Path) -> None:
    result = crossvalidate(f"wds:{shards}", folds=2, epochs=1, runs=tmp_path, jobs=1, quiet=True, final=False)
    parts = [len(load(f"wds:{shards}", split)) for split in ("train", "validation")]
    assert len(result.images) == sum(parts)  # test images are not read


def test_a_killed_run_on_shards_goes_on_to_the_image(
    shards: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = {"encoder__widths": (8, 16), "epochs": 6, "batch_size": 32}
    whole = train(f"wds:{shards}", runs=tmp_path / "whole", quiet=True, figures=False, **settings)
    settings["checkpoint_seconds"] = 0.2
    code = (
        "import sys\nimport torch\nfrom latentia import train\ntorch.set_num_threads(1)\n"
        f"train(sys.argv[1], runs=sys.argv[2], quiet=True, figures=False, **{settings})\n"
    )
    words = [sys.executable, "-c", code, f"wds:{shards}", str(tmp_path / "cut")]
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL)
    state = tmp_path / "cut" / "0001-shards-cae" / "last" / "checkpoint.safetensors"
    while process.poll() is None and not state.is_file():
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    (cut,) = (tmp_path / "cut").iterdir()
    assert open_run(cut).description["status"] == "running"  # it was killed in the midst
    monkeypatch.setenv("LATENTIA_READERS", "1")  # other readers, the same images
    train(resume=cut, quiet=True, figures=False)
    assert digest(cut) == digest(whole.path)


def test_a_broken_shard_ends_a_run_that_goes_on_when_it_is_mended(
    shards: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = train(f"wds:{shards}", runs=tmp_path / "whole", **SETTINGS)
    shard = shards / "000003.tar"
    content = shard.read_bytes()
    step, seen = Trainer.train_step, []

    def then_cut(self: Trainer, batch: Batch, epoch: int) -> object:
        seen.append(batch.ids.tolist())
        if len(seen) == 30:  # in the second epoch of about 23 steps
            shard.write_bytes(content[: len(content) // 2])
        return step(self, batch, epoch)

    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "train_step", then_cut)
        with pytest.raises(DamagedData, match=r"the shard .*000003\.tar is cut off: its image"):
            train(f"wds:{shards}", runs=tmp_path / "cut", **SETTINGS)
    shard.write_bytes(content)
    (cut,) = (tmp_path / "cut").iterdir()
    assert open_run(cut).description["status"].startswith("failed: the shard")
    resumed = train(resume=cut, quiet=True, figures=False)
    assert digest(resumed.path) == digest(whole.path)


def test_commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    def latentia(*words: str) -> str:
        return CliRunner().invoke(cli, words, catch_exceptions=False, standalone_mode=False).stdout

    said = latentia("pack", "digits", "-o", "out", "--images-per-shard", "1000", "--shard-size", "1M")
    assert "1,797 images in 2 shards, 3.7 MB (2,057 bytes an image)" in said and said.endswith("out\n")
    with pytest.raises(UserError, match="the size 'huge' cannot be read: write bytes, or a number with K, M or G"):
        latentia("pack", "digits", "-o", "out", "--shard-size", "huge")
    latentia("show", "wds:out")
    assert (tmp_path / "show-wds-out.png").is_file()
    with pytest.raises(UserError, match=r"the shard nowhere/000\.tar is not there"):
        latentia("show", "wds:nowhere/{000..002}.tar")
