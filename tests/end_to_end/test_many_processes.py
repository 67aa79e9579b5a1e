"""Several processes, started by torchrun, train as one would: real processes over gloo, killed and interrupted too."""

from __future__ import annotations

import copy
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from latentia import load, open_run, train
from latentia.core.errors import UserError
from latentia.data.imageset import from_array
from latentia.data.shards.packing import pack

HERE = Path(__file__).parent
SMALL = {"widths": "4,8", "bottleneck.hidden": 0, "decoder.hidden": 0, "latent_dim": 3}
BASE: dict[str, Any] = {"options": SMALL, "epochs": 2, "batch_size": 16, "seed": 1}
# 45 training images in batches of 16: three processes share 16, 16 and 13, and 5 validation images
WANTED: dict[str, dict[str, Any]] = {
    "cae": {"preset": "cae", "optimizer": "adam", "clip": 0.5, "options": {**SMALL, "encoder.dropout": 0.2}},
    "dae": {"preset": "dae", "ema": 0.9, "options": {"encoder.widths": "8"}},
    "tiny": {"preset": "cae", "batch_size": 43},  # the last batch of two images is shared by three
    "free-bits": {"preset": "vae", "options": {**SMALL, "bound": "elbo:free_bits=0.5"}},
    "wae": {"preset": "wae-mmd"},
    "vq": {"preset": "vq-vae", "options": {"widths": "4,8", "latent_dim": 3, "codebook_size": 8}},
    "lifetime": {"preset": "winner-take-all", "options": {"widths": "4,8", "bottleneck.lifetime": 0.3}},
    "classifier": {"preset": "cae", "finetune": {"epochs": 2, "batch_size": 10, "augmentation": "shift"}},
}


Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def start() -> Iterator[Start]:
    """Return a function that starts Python in so many processes; what still runs at the end is stopped."""
    started: list[subprocess.Popen[str]] = []

    def begin(
        processes: int,
        *words: object,
        restarts: int = 0,
        place: tuple[object, ...] = ("--standalone",),
        **environment: str,
    ) -> subprocess.Popen[str]:
        launcher = [
            "-m",
            "torch.distributed.run",
            *place,
            "--max-restarts",
            restarts,
            "--nproc-per-node",
            processes,
        ]
        launched = processes > 1 or place != ("--standalone",)
        line = [sys.executable, *map(str, [*(launcher if launched else []), *words])]
        process = subprocess.Popen(
            line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, **environment}
        )
        started.append(process)
        return process

    yield begin
    for process in started:
        if process.poll() is None:
            process.terminate()  # the launcher ends those that it has started
        process.communicate()


def finished(process: subprocess.Popen[str], seconds: float = 300) -> tuple[str, str]:
    """Return what a process printed."""
    return process.communicate(timeout=seconds)


def small_run_of(images: Any, place: Path) -> str:
    """Return the folder of a run whose weights a new one can begin at."""
    return str(train(images, runs=place, quiet=True, figures=False, options=SMALL, epochs=20, seed=7).path)


def test_three_processes_take_the_steps_of_one(start: Start, tmp_path: Path) -> None:
    """Whatever mixes the images of a batch: statistics over it, codebooks, dropout, pseudo-labels, gradients of uneven shares."""
    from together import IMAGES  # type: ignore[import-not-found]

    wanted = {name: {**BASE, **options} for name, options in WANTED.items()}
    pack(from_array(IMAGES), tmp_path / "shards", images_per_shard=7, quiet=True)
    from_here = small_run_of(from_array(IMAGES), tmp_path / "before")
    wanted["from"] = {**BASE, "preset": "cae", "init_from": from_here, "ema": 0.99, "epochs": 1}
    wanted["stream"] = {**BASE, "preset": "cae", "data": f"wds:{tmp_path / 'shards'}"}
    check_alike(start, tmp_path, 3, wanted, wanted)


SHARDED: dict[str, dict[str, Any]] = {
    **{name: WANTED[name] for name in ("cae", "tiny", "free-bits", "wae", "vq")},
    "dae": {"preset": "dae", "ema": 0.9, "optimizer": "adamw", "options": {"encoder.widths": "8"}},
    "several-samples": {"preset": "dreg-iwae"},
    "two-encodings": {"preset": "vamp-vae"},
    "bent": {"preset": "warp-cae", "optimizer": "adam"},
    "momentum": {"preset": "cae", "optimizer": "sgd:momentum=0.9", "clip": 0.1, "ema": 0.5},
    "classifier": {"preset": "cae", "finetune": {"epochs": 2, "batch_size": 10, "augmentation": "shift"}},
}


@pytest.mark.parametrize("processes", [2, pytest.param(3, marks=pytest.mark.slow)])
def test_processes_that_share_a_model_out_take_the_steps_of_one(start: Start, tmp_path: Path, processes: int) -> None:
    plain = {name: {**BASE, **options} for name, options in SHARDED.items()}
    shared = {name: {**options, "shard": True} for name, options in plain.items()}
    for options in shared.values():
        if "finetune" in options:
            options["finetune"] = {**options["finetune"], "shard": True}
    check_alike(start, tmp_path, processes, plain, shared)
    weights = sum(value.size for value in np.load(tmp_path / "one" / "cae-0.npz").values())
    held = [json.loads((tmp_path / "several" / f"cae-{rank}-held.json").read_text())[-1] for rank in range(processes)]
    assert sum(held) == 4 * weights  # themselves, their gradients, Adam's two moments: each number in one process alone
    assert max(held) < 0.75 * sum(held)


def check_alike(
    start: Start, place: Path, processes: int, alone: dict[str, dict[str, Any]], together: dict[str, dict[str, Any]]
) -> None:
    """Check that several processes come to the losses and weights of one, and all to the same weights."""
    from together import run_all

    (place / "wanted.json").write_text(json.dumps(together))
    (place / "one").mkdir()
    (place / "several").mkdir()
    process = start(processes, HERE / "together.py", place / "wanted.json", place / "several")
    run_all(copy.deepcopy(alone), place / "one")
    _, errors = finished(process)
    assert process.returncode == 0, errors
    for name in alone:
        one, several = (json.loads((place / way / f"{name}.json").read_text()) for way in ("one", "several"))
        for first, second in zip(one, several, strict=True):
            for part in {"train", "validation"} & set(first):
                for term, value in first[part].items():
                    assert second[part][term] == pytest.approx(value, rel=1e-4, abs=1e-6), (name, part, term)
        weights = [np.load(place / "several" / f"{name}-{rank}.npz") for rank in range(processes)]
        for key, own in np.load(place / "one" / f"{name}-0.npz").items():
            assert all(np.array_equal(weights[0][key], other[key]) for other in weights[1:])
            np.testing.assert_allclose(weights[0][key], own, rtol=2e-2, atol=2e-4, err_msg=f"{name} {key}")
        assert len(list((place / "several" / name).iterdir())) == len(list((place / "one" / name).iterdir()))


OPTIONS = ["--encoder.widths", "8,16", "--batch-size", "100", "--checkpoint-seconds", "0.05", "--no-figures"]


def command(*words: object) -> list[object]:
    return ["-m", "latentia", "train", *words]


def wait_for(found: Any, process: subprocess.Popen[str], seconds: float = 300) -> Any:
    started = time.monotonic()
    while process.poll() is None and time.monotonic() - started < seconds:
        if value := found():
            return value
        time.sleep(0.01)
    raise AssertionError(finished(process))


def workers(process: subprocess.Popen[str]) -> list[int]:
    """Return the ids of the processes that torchrun has started."""
    return [int(pid) for pid in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()]


def losses(folder: Path) -> list[float]:
    return [record["validation"]["loss"] for record in open_run(folder).history]


def said(errors: str, text: str) -> list[str]:
    """Return the lines of ours that hold ``text``; torchrun repeats what it is told at its end."""
    return [line for line in errors.splitlines() if line.startswith("latentia: ") and text in line]


@pytest.mark.parametrize("more", [[], ["--ema", "0.9", "--shard"]], ids=["whole", "shared out"])
def test_a_run_survives_whatever_happens_to_its_processes(start: Start, tmp_path: Path, more: list[str]) -> None:
    """Two processes, one of them killed; resumed by three, interrupted; resumed by one: the curve is that of one alone."""
    words = ["digits", *OPTIONS, *more, "--epochs", "12", "--runs", tmp_path / "cut"]
    process = start(2, *command(*words))
    state = wait_for(lambda: next(tmp_path.glob("cut/*/last/checkpoint.safetensors"), None), process)
    (folder,) = (tmp_path / "cut").iterdir()
    os.kill(workers(process)[1], signal.SIGKILL)
    _, errors = finished(process)
    assert process.returncode != 0
    (line,) = said(errors, "")
    assert line == (
        "latentia: another process of this training has ended (killed, or out of memory?) or cannot be reached; what was "
        f"saved last is whole: go on with latentia train --resume {folder}"
    )
    assert json.loads((folder / "run.json").read_text())["status"] == "interrupted"

    before = state.stat().st_mtime
    process = start(3, *command("--resume", folder, "--no-figures"))
    wait_for(lambda: state.stat().st_mtime > before, process)
    process.send_signal(signal.SIGTERM)
    _, errors = finished(process)
    (line,) = said(errors, "")
    assert "its state saved: go on with latentia train --resume" in line
    assert json.loads((folder / "run.json").read_text())["status"] == "interrupted"

    train(resume=folder, quiet=True, figures=False)
    options = {"encoder.widths": "8,16", "batch_size": 100, "epochs": 12, "ema": 0.9 if more else 0.0}
    whole = train("digits", options=options, runs=tmp_path / "whole", quiet=True, figures=False)
    np.testing.assert_allclose(losses(folder), losses(whole.path), rtol=1e-3)
    assert len(losses(folder)) == 12
    assert not list(folder.rglob("*.tmp-*"))


def test_two_launchers_as_on_two_machines_train_as_one_process(start: Start, tmp_path: Path) -> None:
    """Each with a cache of its own, so that each decodes the folder; one folder of runs, one writer."""
    (tmp_path / "images").mkdir()
    for number, pixels in enumerate(load("digits").pixels[:200, 0]):
        Image.fromarray(pixels).save(tmp_path / "images" / f"{number}.png")
    words = [tmp_path / "images", *OPTIONS, "--epochs", "2", "--batch-size", "32"]
    with socket.socket() as taken:
        taken.bind(("localhost", 0))
        port = taken.getsockname()[1]
    where = ("--nnodes", 2, "--rdzv-backend", "c10d", "--rdzv-endpoint", f"localhost:{port}", "--rdzv-id", "two")
    machines = [
        start(1, *command(*words, "--runs", tmp_path / "runs"), place=where, LATENTIA_CACHE=str(tmp_path / name))
        for name in ("here", "there")
    ]
    said_by = [finished(process) for process in machines]
    assert [process.returncode for process in machines] == [0, 0], said_by
    (folder,) = (tmp_path / "runs").iterdir()
    assert sorted(output.strip().splitlines()[-1:] for output, _ in said_by) == [[], [str(folder)]]
    assert all(len(list((tmp_path / name / "folders").iterdir())) == 1 for name in ("here", "there"))
    assert open_run(folder).description["processes"] == 2
    options = {"encoder.widths": "8,16", "batch_size": 32, "epochs": 2}
    whole = train(tmp_path / "images", options=options, runs=tmp_path / "whole", quiet=True, figures=False)
    np.testing.assert_allclose(losses(folder), losses(whole.path), rtol=1e-4)


def test_a_model_is_shared_out_among_several_alone(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="start latentia train or finetune with torchrun, or leave it out"):
        train("digits", runs=tmp_path, quiet=True, figures=False, epochs=1, shard=True)
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_the_launcher_restarts_a_named_run(start: Start, tmp_path: Path) -> None:
    words = ["digits", *OPTIONS, "--epochs", "3", "--into", tmp_path / "run"]
    process = start(2, *command(*words), restarts=1)
    wait_for((tmp_path / "run" / "last" / "checkpoint.safetensors").exists, process)
    os.kill(workers(process)[1], signal.SIGKILL)
    output, errors = finished(process)
    assert process.returncode == 0, errors
    assert output.splitlines()[-1] == str(tmp_path / "run")
    assert len(said(errors, "another process of this training has ended")) == 1
    assert len(losses(tmp_path / "run")) == 3


def test_only_the_first_process_speaks_and_writes(start: Start, tmp_path: Path) -> None:
    words = ["digits", *OPTIONS, "--epochs", "1", "--runs", tmp_path / "runs"]
    process = start(2, *command(*words))
    output, errors = finished(process)
    assert process.returncode == 0, errors
    (folder,) = (tmp_path / "runs").iterdir()
    lines = output.splitlines()
    assert lines[-1] == str(folder)
    assert lines.count(str(folder)) == 1 and output.count("best epoch") == 1
    assert errors.count("epoch   1/1") == 1
    assert "in each of 2 processes" in errors
    described = json.loads((folder / "run.json").read_text())
    assert (described["status"], described["processes"]) == ("finished", 2)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["train", "no-such-place"], "latentia: 'no-such-place' is neither a file or folder"),
        (["train", "digits", "--preset", "ceo"], "latentia: there is no preset called 'ceo'"),
        (
            ["crossval", "digits"],
            "latentia: latentia crossval runs as one process, not as 2: start it without torchrun (train and finetune share "
            "their work among several)",
        ),
    ],
)
def test_an_error_is_told_once(start: Start, words: list[str], message: str) -> None:
    process = start(2, "-m", "latentia", *words)
    _, errors = finished(process)
    assert process.returncode != 0
    (line,) = said(errors, "")
    assert line.startswith(message)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("nan", "the loss or a weight is no longer finite; the last good state is kept in"),
        ("full", "the disk is full: free some space there; what stood there before is untouched"),
        ("memory", "there is not enough memory for this"),
    ],
)
def test_what_befalls_one_process_ends_all_with_one_sentence(
    start: Start, tmp_path: Path, fault: str, message: str
) -> None:
    words = ["train", "digits", *OPTIONS, "--epochs", "8", "--runs", tmp_path / "runs"]
    process = start(2, HERE / "faulty.py", fault, tmp_path, *words)
    _, errors = finished(process)
    assert process.returncode != 0
    (line,) = said(errors, "")
    assert message in line
    (folder,) = (tmp_path / "runs").iterdir()
    assert not list(folder.rglob("*.tmp-*"))
    done = [sys.executable, *map(str, command("--resume", folder, "--no-figures", "--quiet"))]
    assert subprocess.run(done, check=False, capture_output=True).returncode == 0
    assert len(losses(folder)) == 8


@pytest.mark.slow
@pytest.mark.parametrize(("processes", "number"), [(1, signal.SIGTERM), (1, signal.SIGKILL), (2, signal.SIGTERM)])
def test_a_signal_in_the_middle_of_a_checkpoint(start: Start, tmp_path: Path, processes: int, number: int) -> None:
    words = [
        HERE / "faulty.py",
        "slow",
        tmp_path,
        "train",
        "digits",
        *OPTIONS,
        "--epochs",
        "3",
        "--runs",
        tmp_path / "runs",
    ]
    process = start(processes, *words)
    mark = tmp_path / "writing"
    state = wait_for(lambda: next(tmp_path.glob("runs/*/last/checkpoint.safetensors"), None), process)
    wait_for(mark.exists, process)
    kept = state.read_bytes()
    process.send_signal(number)
    _, errors = finished(process)
    folder = state.parent.parent
    if number == signal.SIGKILL:
        assert process.returncode == -number
        assert state.read_bytes() == kept
    else:
        assert process.returncode != 0
        (line_said,) = said(errors, "")
        assert "its state saved: go on with latentia train --resume" in line_said
        assert not list(folder.rglob("*.tmp-*"))
    done = [sys.executable, *map(str, command("--resume", folder, "--no-figures", "--quiet"))]
    assert subprocess.run(done, check=False, capture_output=True).returncode == 0
    assert len(losses(folder)) == 3
    assert not list(folder.rglob("*.tmp-*"))
