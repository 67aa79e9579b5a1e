"""Handing runs on: what goes along, what stays here, and that it is the same model at the other end."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from latentia import finetune, load, open_run, train
from latentia.api import pull, push
from latentia.cli.main import cli
from latentia.core.errors import LatentiaError, UserError
from latentia.data.restore import save_images
from latentia.runs import Run
from latentia.training.shared_folder import without_traces

SETTINGS: dict[str, Any] = {"epochs": 2, "quiet": True, "widths": "4x8", "latent_dim": 3}


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("private") / "holiday"
    save_images(load("digits").select(range(60)), folder)
    return folder


@pytest.fixture(scope="module")
def run(photos: Path) -> Run:
    return train(photos, "vae", runs=photos.parent / "runs", **SETTINGS)


def test_a_run_comes_back_as_it_was(run: Run, photos: Path, tmp_path: Path) -> None:
    assert push(run, tmp_path / "shared") == str(tmp_path / "shared")
    same = pull(tmp_path / "shared", runs=tmp_path / "runs")
    assert same.path.name == "0001-holiday-vae"
    for name, value in run.model.state_dict().items():
        assert torch.equal(value, same.model.state_dict()[name])
    assert np.array_equal(same.embed(photos), run.embed(photos))
    assert np.array_equal(same.generate(3).pixels, run.generate(3).pixels)
    assert same.history == run.history
    assert same.format == run.format
    assert same.description["pulled"]["from"] == "shared"
    with pytest.raises(UserError, match="was trained on images in memory"):
        same.evaluate()


def test_nothing_that_tells_of_the_machine_goes_along(run: Run, photos: Path, tmp_path: Path) -> None:
    folder = tmp_path / "shared"
    push(run, folder)
    assert sorted(path.name for path in folder.iterdir()) == [
        "README.md",
        "config.json",
        "metrics.jsonl",
        "model.safetensors",
    ]
    for path in folder.iterdir():
        content = path.read_bytes()
        command = [word for word in sys.argv[:1] if len(word) > 4]  # not the -c of a worker
        for trace in (str(photos.parent), "000001.png", *command):
            assert trace.encode() not in content, (path.name, trace)
    push(run, folder, pictures=True)
    assert "![loss" in (folder / "README.md").read_text() or "](figures/" in (folder / "README.md").read_text()
    assert list((folder / "figures").glob("*.png"))


def test_the_name_of_a_data_set_goes_along(tmp_path: Path) -> None:
    made = train("digits", "cae", runs=tmp_path / "runs", figures=False, **SETTINGS)
    made.generate(2)  # keeps a mixture beside the model
    push(made, tmp_path / "shared")
    same = pull(tmp_path / "shared", runs=tmp_path / "elsewhere")
    assert same.description["data"]["location"] == "digits"
    assert np.array_equal(same.generate(2).pixels, made.generate(2).pixels)
    assert str(same.evaluate()) == str(made.evaluate())
    assert (
        "data_dir"
        not in without_traces({**made.description, "data": {**made.description["data"], "options": {"data_dir": "x"}}})[
            "data"
        ]["options"]
    )


def test_a_classifier_keeps_its_calibration(tmp_path: Path) -> None:
    source = train("digits", "cae", runs=tmp_path / "runs", figures=False, **SETTINGS)
    made = finetune(source, "digits", labels=50, epochs=1, runs=tmp_path / "runs", quiet=True, figures=False)
    push(made, tmp_path / "shared")
    same = pull(tmp_path / "shared", runs=tmp_path / "elsewhere")
    some = load("digits", "test").select(range(20))
    assert np.array_equal(same.predict_proba(some), made.predict_proba(some))
    card = (tmp_path / "shared" / "README.md").read_text()
    assert "pipeline_tag: image-classification" in card
    assert "| classes | 0, 1, 2, 3, 4, 5, 6, 7, 8, 9 |" in card


def test_the_card_tells_the_runs_figures(run: Run, tmp_path: Path) -> None:
    push(run, tmp_path)
    card = (tmp_path / "README.md").read_text()
    assert card.startswith("---\nlibrary_name: latentia\npipeline_tag: image-feature-extraction\n")
    assert "# vae on holiday" in card
    assert "The preset `vae`: variational autoencoder (Kingma & Welling 2013). Trained with Latentia" in card
    best = next(record for record in run.history if record["epoch"] == run.description["best_epoch"])
    assert f"| mse | {best['validation']['mse']:.5g} |" in card
    assert "| images | 1 x 8 x 8, uint8, 0 to 255 |" in card
    assert f"| parameters | {sum(p.numel() for p in run.model.parameters()):,} |" in card


def test_the_hubs_own_mixin_reads_the_folder(run: Run, tmp_path: Path) -> None:
    hub = pytest.importorskip("huggingface_hub")
    from latentia.data.imageset import PixelFormat
    from latentia.model import Architecture, Autoencoder

    class Mixed(Autoencoder, hub.PyTorchModelHubMixin):  # type: ignore[misc,name-defined]
        def __init__(self, **config: Any) -> None:
            architecture = Architecture.from_json(config["architecture"])
            super().__init__(architecture, PixelFormat(**config["pixel_format"]))

    push(run, tmp_path)
    model = Mixed.from_pretrained(str(tmp_path)).eval()
    pixels = torch.rand(2, 1, 8, 8)
    with torch.inference_mode():
        assert torch.equal(model(pixels), run.model(pixels))


def test_the_hub_is_asked_only_by_its_name(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hub = pytest.importorskip("huggingface_hub")
    store, asked = tmp_path / "store", []

    class Api:
        def create_repo(self, repo_id: str, *, private: bool, exist_ok: bool) -> None:
            asked.append((repo_id, private))

        def upload_folder(self, *, repo_id: str, folder_path: str, commit_message: str) -> None:
            import shutil

            shutil.copytree(folder_path, store)

        def snapshot_download(self, repo_id: str, *, allow_patterns: list[str]) -> str:
            if repo_id != "you/vae":
                raise OSError("404: there is no such thing.\nmore")
            assert "model.safetensors" in allow_patterns and not any("pickle" in name for name in allow_patterns)
            return str(store)

    monkeypatch.setattr(hub, "HfApi", Api)
    assert push(run, "hf:you/vae") == "https://huggingface.co/you/vae"
    assert asked == [("you/vae", True)]
    assert 'pull("hf:you/vae")' in (store / "README.md").read_text()
    same = pull("hf:you/vae", runs=tmp_path / "runs")
    assert np.array_equal(same.generate(2).pixels, run.generate(2).pixels)
    with pytest.raises(LatentiaError, match=r"the Hub did not give you/other: 404: there is no such thing$"):
        pull("hf:you/other", runs=tmp_path / "runs")


def test_what_is_wrong_is_said_in_a_sentence(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserError, match="'hf:you' names no repository of the Hub: write hf:owner/name"):
        push(run, "hf:you")
    with pytest.raises(UserError, match="does not exist: name one that latentia push wrote"):
        pull(tmp_path / "nothing")
    with pytest.raises(UserError, match=r"is not a folder with a model of Latentia: it has no config.json"):
        pull(tmp_path)
    push(run, tmp_path / "shared")
    config = tmp_path / "shared" / "config.json"
    values = json.loads(config.read_text())
    config.write_text(json.dumps({key: value for key, value in values.items() if key != "run"}))
    with pytest.raises(UserError, match="does not say how its model was trained"):
        pull(tmp_path / "shared", runs=tmp_path / "runs")
    config.write_text(json.dumps({**values, "format": 99}))
    with pytest.raises(UserError, match="use a newer Latentia"):
        pull(tmp_path / "shared", runs=tmp_path / "runs")
    config.write_text(json.dumps(values))
    (tmp_path / "shared" / "model.safetensors").write_bytes(b"pickle")
    with pytest.raises(UserError, match="is not a whole safetensors file"):
        pull(tmp_path / "shared", runs=tmp_path / "runs")
    assert not (tmp_path / "runs").exists()
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="is a file, but the model needs a folder"):
        push(run, tmp_path / "file")
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(UserError, match=r"pip install 'latentia\[hub\]'"):
        push(run, "hf:you/vae")


def test_from_the_command_line(run: Run, tmp_path: Path) -> None:
    done = CliRunner().invoke(cli, ["push", str(run.path), str(tmp_path / "shared")])
    assert (done.exit_code, done.stdout.strip()) == (0, str(tmp_path / "shared"))
    done = CliRunner().invoke(cli, ["pull", str(tmp_path / "shared"), "--runs", str(tmp_path / "runs")])
    assert done.exit_code == 0, done.exception
    assert open_run(done.stdout.splitlines()[-1]).kind == "autoencoder"


def test_tensorboard_gets_every_epoch_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    made = train("digits", "vae", runs=tmp_path, figures=False, tensorboard=True, **SETTINGS)
    events = EventAccumulator(str(made.path / "tensorboard"))
    events.Reload()
    found = [(event.step, event.value) for event in events.Scalars("mse/validation")]
    expected = [(record["epoch"], record["validation"]["mse"]) for record in made.history]
    assert [step for step, _ in found] == [step for step, _ in expected]
    assert np.allclose([value for _, value in found], [value for _, value in expected])
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    with pytest.raises(UserError, match=r"--tensorboard needs TensorBoard, .* 'latentia\[tensorboard\]'"):
        train("digits", "cae", runs=tmp_path / "other", figures=False, tensorboard=True, **SETTINGS)
    assert not (tmp_path / "other").exists()
