"""The command with all settings makes the same weights again, to the bit."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner

from latentia import train
from latentia.cli.main import cli
from latentia.training.replay import part_text, replay_command


@pytest.mark.parametrize(
    ("preset", "options"),
    [
        ("vae:beta=2", {"latent_dim": 3, "seed": 5, "split_seed": 2}),
        ("denoising-cae", {"corruption": "chain:steps=(mask:p=0.3+gaussian:sigma=0.1)", "target": "changed"}),
        ("sparse", {"weight.l1": 0.01, "encoder": "residual:widths=(4,8)", "optimizer": "sgd:momentum=0.9"}),
    ],
)
def test_it_makes_the_same_weights(preset: str, options: dict[str, object], tmp_path: Path) -> None:
    split_seed = {"split_seed": options.pop("split_seed")} if "split_seed" in options else {}
    quick = {"epochs": 1, "batch_size": 256, **options}
    run = train("digits", preset, runs=tmp_path, figures=False, quiet=True, options=quick, **split_seed)
    command = replay_command(run.description)
    assert command is not None
    words = shlex.split(command.replace("\\\n", " "))
    assert words[:3] == ["latentia", "train", "digits"]
    done = CliRunner().invoke(cli, [*words[1:], "--runs", str(tmp_path / "again"), "--no-figures", "--quiet"])
    assert done.exit_code == 0, done.output
    again = Path(done.stdout.splitlines()[-1])
    assert (again / "model.safetensors").read_bytes() == (run.path / "model.safetensors").read_bytes()


def test_it_sets_the_same_images_aside(tmp_path: Path) -> None:
    run = train(
        "digits", runs=tmp_path, figures=False, quiet=True, epochs=1, calibration=0.2, options={"widths": "4,8"}
    )
    command = replay_command(run.description)
    assert command is not None and "--calibration 0.2" in command


def test_what_was_in_memory_or_is_no_training_has_no_command() -> None:
    assert replay_command({"kind": "crossvalidation", "data": {"location": "digits"}}) is None
    assert replay_command({"kind": "autoencoder", "data": {"location": None}}) is None


def test_parts_are_written_with_all_their_fields() -> None:
    values = {"name": "conv", "widths": [8, 16], "norm": True, "steps": "a:b=1,c=2", "nothing": None}
    assert part_text(values) == "conv:widths=(8,16),norm=true,steps=(a:b=1,c=2),nothing=none"
    assert part_text({"name": "none"}) == "none"
