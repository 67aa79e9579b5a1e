"""Opening a run: what is kept, what is refused, and the lock."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from latentia import finetune, train
from latentia.app.subject import open_subject
from latentia.core.errors import UserError
from latentia.runs import Run
from latentia.training.run_folder import RunFolder


def test_codes_and_errors_are_the_runs_own_and_kept(run: Run) -> None:
    told: list[str] = []
    subject = open_subject(run.path, say=told.append)
    assert np.allclose(subject.codes, run.embed("digits"), atol=1e-5)
    assert np.allclose(subject.scores, run.reconstruction("digits").errors)
    assert any("computing the codes of 1,797 images" in text for text in told)
    subject.workspace.release()
    told.clear()
    again = open_subject(run.path, say=told.append)
    assert not any("computing" in text for text in told)
    assert np.array_equal(again.codes, subject.codes)
    again.workspace.release()
    written = {path.relative_to(run.path).parts[0] for path in run.path.rglob("*") if path.stat().st_mtime}
    files = {"run.json", "metrics.jsonl", "model.json", "model.safetensors", "learned.safetensors"}
    assert written <= files | {"explore", "last", "figures"}


def test_another_model_makes_other_codes(run: Run) -> None:
    open_subject(run.path).workspace.release()
    weights = run.path / "model.safetensors"
    other = train(
        "digits", runs=run.path.parent, epochs=1, figures=False, quiet=True, widths="8x16", latent_dim=5, seed=9
    )
    weights.write_bytes((other.path / "model.safetensors").read_bytes())
    subject = open_subject(run.path)
    assert np.allclose(subject.codes, other.embed("digits"), atol=1e-5)
    subject.workspace.release()


def test_a_second_explorer_is_told_who_is_there(run: Run) -> None:
    code = (
        "import sys, time; from latentia.app.workspace import Workspace; from pathlib import Path\n"
        "held = Workspace(Path(sys.argv[1])); held.claim(); held.announce('http://127.0.0.1:5006/')\n"
        "print('held', flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code, run.path], stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None and other.stdout.readline() == "held\n"
        told = (
            rf"is open in another explorer already \(process {other.pid} at http://127.0.0.1:5006/\): use that one, or"
        )
        with pytest.raises(UserError, match=told):
            open_subject(run.path)
        other.kill()
    open_subject(run.path).workspace.release()


def test_runs_that_cannot_be_explored(run: Run, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="does not exist"):
        open_subject(tmp_path / "nowhere")
    holder = RunFolder(run.path)
    holder.lock()
    with pytest.raises(UserError, match="is still being trained: explore it when that has ended, or stop it first"):
        open_subject(run.path)
    holder.release()
    described = json.loads((run.path / "run.json").read_text())
    (run.path / "run.json").write_text(json.dumps({**described, "format": 99}))
    with pytest.raises(UserError, match="has format 99, but this Latentia"):
        open_subject(run.path)
    (run.path / "run.json").write_text(json.dumps({key: value for key, value in described.items() if key != "data"}))
    with pytest.raises(UserError, match="lacks 'data': it is no training run"):
        open_subject(run.path)
    (run.path / "run.json").write_text(json.dumps(described))
    (run.path / "model.safetensors").unlink()
    with pytest.raises(
        UserError, match=r"holds no trained weights yet .*: let its training go on with latentia train --res"
    ):
        open_subject(run.path)


def test_images_that_do_not_fit_leave_the_folder_free(run: Run, image_folder: Path) -> None:
    np.save(image_folder / "colour.npy", np.zeros((4, 8, 8, 3), dtype=np.uint8))
    for _ in range(2):
        with pytest.raises(UserError, match="was trained on images of 1 channel"):
            open_subject(run.path, str(image_folder / "colour.npy"))


def test_other_data_has_labels_of_its_own(run: Run, image_folder: Path) -> None:
    own, other = open_subject(run.path, "digits"), None
    own.workspace.release()
    other = open_subject(run.path, str(image_folder))
    assert own.workspace.path == run.path / "explore"
    assert other.workspace.path.parent == run.path / "explore" and other.workspace.path.name.startswith("images-")
    assert len(other) == 12 and other.images.pixels.shape[1:] == (1, 8, 8)
    other.workspace.release()


def test_images_in_memory_must_be_named(tmp_path: Path) -> None:
    made = train(
        np.zeros((20, 8, 8), np.uint8), runs=tmp_path, epochs=1, figures=False, quiet=True, widths="8x16", latent_dim=2
    )
    with pytest.raises(UserError, match="was trained on images in memory: say which images to explore"):
        open_subject(made.path)


@pytest.mark.parametrize("mode", ["probe", "full"])
def test_a_classifiers_run_brings_its_answers(run: Run, tmp_path: Path, mode: str) -> None:
    made = finetune(run, "digits", labels=50, mode=mode, epochs=1, runs=tmp_path / "more", figures=False, quiet=True)
    subject = open_subject(made.path)
    assert subject.prediction is not None
    assert np.allclose(subject.prediction.probabilities, made.predict_proba("digits"))
    assert subject.codes.shape == (1797, 16 if mode == "probe" else 256)
    subject.workspace.release()
