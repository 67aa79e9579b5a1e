"""What only a GPU can show. Skipped, with the reason, where there is none."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.distributed as dist

from latentia import crossvalidate, finetune, load, open_run, train
from latentia.core.errors import Interrupted
from latentia.core.launch import Launch
from latentia.core.noise import Noise
from latentia.core.ranks import Ranks
from latentia.data.batches import Batches
from latentia.data.labels import draw_labels
from latentia.finetuning import FineTuning
from latentia.presets import PRESETS, design
from latentia.tasks.apply import over
from latentia.tasks.finetune import classifier_from, finetune_in_memory, make_trainer
from latentia.tasks.finetune_stacked import finetune_stacked
from latentia.training.progress import ProgressBar
from latentia.training.settings import FineTuneSettings, TrainSettings
from latentia.training.signals import StopSignals
from latentia.training.stack import Stack, train_together
from latentia.training.trainer import Trainer

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device"),
]
SMALL = {"widths": "8,8", "bottleneck.hidden": 0, "decoder.hidden": 0, "latent_dim": 4}


def trainer_of(preset: str, device: str, options: dict[str, Any] | None = None, **settings: Any) -> Trainer:
    asked = {"epochs": 2, "batch_size": 64, "seed": 1, "precision": "float32", **settings}
    images = load("digits", "train")
    count = asked.pop("count", len(images))
    ranks = asked.pop("ranks", None)
    made = design(preset, options or {})
    model = made.architecture.build(images.format, seed=asked["seed"])
    batches = Batches(images.select(range(count)), images.format, 64, device, seed=asked["seed"])
    held = Batches(load("digits", "validation"), images.format, 64, device)
    chosen = TrainSettings(**asked)
    return Trainer(model, made.objective, batches, held, chosen, torch.device(device), quiet=True, ranks=ranks)


def fit(preset: str, device: str, options: dict[str, Any] | None = None, **settings: Any) -> tuple[Any, Trainer]:
    trainer = trainer_of(preset, device, options, **settings)
    return trainer.fit(), trainer


def test_the_integers_behind_the_noise_are_those_of_the_processor() -> None:
    ids = torch.arange(100) * 2**33 + 5
    here, there = Noise(3, ids, "train", 1), Noise(3, ids.cuda(), "train", 1)
    assert torch.equal(here.bits((7, 5)), there.bits((7, 5)).cpu())
    assert torch.equal(here.uniform(9), there.uniform(9).cpu())
    torch.testing.assert_close(here.normal(50), there.normal(50).cpu(), rtol=0, atol=1e-5)


def test_batches_lie_on_the_gpu_and_hold_what_the_processor_holds() -> None:
    images = load("digits", "train")
    here, there = (list(Batches(images, images.format, 100, device, seed=2).epoch(3)) for device in ("cpu", "cuda"))
    for one, other in zip(here, there, strict=True):
        assert other.pixels.is_cuda and other.labels.is_cuda and other.ids.is_cuda
        assert torch.equal(one.pixels, other.pixels.cpu())
        assert torch.equal(one.labels, other.labels.cpu()) and torch.equal(one.ids, other.ids.cpu())


@pytest.mark.parametrize(
    ("preset", "options"), [("cae", {"corruption": "mask"}), ("vae", {}), ("vae", {"bound.warmup": 0.5})]
)
def test_recorded_training_is_plain_training(preset: str, options: dict[str, Any]) -> None:
    plain, _ = fit(preset, "cuda", {**SMALL, **options}, graph="off", epochs=3)
    recorded, trainer = fit(preset, "cuda", {**SMALL, **options}, epochs=3)
    assert trainer._recorded is not None and trainer._recorded.ready
    for one, other in zip(recorded, plain, strict=True):
        assert one["train"]["loss"] == pytest.approx(other["train"]["loss"], rel=1e-3)
        assert one["validation"]["loss"] == pytest.approx(other["validation"]["loss"], rel=1e-3)


class ReadsBack(torch.nn.Dropout):
    """Something that cannot be recorded, which draws from the GPU's own generator."""

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        assert float(features.detach().sum()) < float("inf")
        return super().forward(features)


def test_after_a_recording_that_failed_steps_are_taken_plainly() -> None:
    images = load("digits", "train")
    made = design("cae", SMALL)
    model = made.architecture.build(images.format, seed=1)
    model.encoder = torch.nn.Sequential(model.encoder, ReadsBack(0.1))
    batches = Batches(images, images.format, 64, "cuda", seed=1)
    asked = TrainSettings(epochs=2, batch_size=64, seed=1)
    trainer = Trainer(model, made.objective, batches, None, asked, torch.device("cuda"), quiet=True)
    history = trainer.fit()
    assert trainer._recorded is not None and not trainer._recorded.possible
    assert history[-1]["train"]["loss"] < history[0]["train"]["loss"]


def test_the_gpu_learns_what_the_processor_learns() -> None:
    here, _ = fit("vae", "cpu", SMALL, epochs=4)
    there, _ = fit("vae", "cuda", SMALL, epochs=4)
    assert there[-1]["validation"]["loss"] == pytest.approx(here[-1]["validation"]["loss"], rel=5e-3)


@pytest.mark.parametrize("preset", sorted(PRESETS))
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_every_preset_learns_on_a_gpu(preset: str, precision: str) -> None:
    if preset in ("vq-vae", "fsq"):
        pytest.importorskip("vector_quantize_pytorch")
    if preset == "flow-vae":
        pytest.importorskip("zuko")
    history, _ = fit(preset, "cuda", epochs=4, precision=precision)
    losses = [record["train"]["reconstruction"] for record in history]
    assert np.isfinite(losses).all() and losses[-1] < losses[0]


def test_muon_and_averages_work_there() -> None:
    history, trainer = fit("cae", "cuda", optimizer="muon", ema=0.9, epochs=3)
    assert history[-1]["validation"]["loss"] < history[0]["validation"]["loss"]
    assert trainer.average is not None and all(value.is_cuda for value in trainer.average.values())


def test_a_run_of_the_gpu_is_resumed_and_opened_on_the_processor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: Any = {"quiet": True, "figures": False, "options": SMALL, "precision": "float32", "seed": 2}
    whole = train("digits", epochs=3, runs=tmp_path / "whole", device="cuda", **asked)
    assert "cuda" in whole.description["device"]
    images = load("digits", "test")
    assert np.isfinite(open_run(whole.path).embed(images)).all()
    step, steps = Trainer.train_step, 0

    def stop(self: Trainer, *given: Any) -> Any:
        nonlocal steps
        steps += 1
        if steps == 14:
            os.kill(os.getpid(), signal.SIGTERM)
        return step(self, *given)

    monkeypatch.setattr(Trainer, "train_step", stop)
    with pytest.raises(Interrupted):
        train("digits", epochs=3, runs=tmp_path / "stopped", device="cuda", **asked)
    monkeypatch.undo()
    path = next((tmp_path / "stopped").iterdir())
    resumed = train(resume=path, quiet=True, figures=False)
    for one, other in zip(resumed.history, whole.history, strict=True):
        assert one["train"]["loss"] == pytest.approx(other["train"]["loss"], rel=1e-3)


def test_folds_share_one_gpu(tmp_path: Path) -> None:
    settings: Any = {"quiet": True, "options": SMALL, "runs": tmp_path, "device": "cuda", "epochs": 2}
    result = crossvalidate("digits", folds=2, final=False, **settings)
    assert np.isfinite(result.metrics["mse"].mean)


def test_fine_tuning_works_there(tmp_path: Path) -> None:
    run = train("digits", epochs=15, runs=tmp_path, quiet=True, figures=False, device="cuda")
    tuned = finetune(run, "digits", labels=100, epochs=15, runs=tmp_path, quiet=True, device="cuda")
    judged = tuned.prediction("digits", split="test").judgement()
    assert judged is not None and judged.error < 0.5


@pytest.mark.parametrize("graph", ["auto", "off"])
@pytest.mark.parametrize(
    ("preset", "settings"), [("cae", {}), ("denoising-vae", {"ema": 0.9, "clip": 1.0}), ("cae", {"optimizer": "muon"})]
)
def test_a_stack_learns_what_its_members_learn_alone(graph: str, preset: str, settings: dict[str, Any]) -> None:
    def made() -> list[Trainer]:
        found = []
        for seed in range(3):
            asked = {"seed": seed, "graph": graph, "count": 300 + 20 * seed, "epochs": 3, **settings}
            found.append(trainer_of(preset, "cuda", SMALL, **asked))
        return found

    alone, together = made(), made()
    for trainer in alone:
        trainer.fit()
    with StopSignals() as signals, ProgressBar(1, 1, 0, quiet=True) as bar:
        assert train_together(together, [one.course(signals, bar) for one in together]) == [None] * 3
    for one, other in zip(together, alone, strict=True):
        for first, second in zip(one.history, other.history, strict=True):
            assert first["train"]["loss"] == pytest.approx(second["train"]["loss"], rel=5e-3)
            assert first["validation"]["loss"] == pytest.approx(second["validation"]["loss"], rel=5e-3)


def test_a_stack_is_recorded() -> None:
    stack = Stack([trainer_of("vae", "cuda", SMALL, seed=seed) for seed in range(3)])
    batches = [next(trainer.train.epoch(0)) for trainer in stack.members]
    for _ in range(6):
        stack.step(batches)
    assert stack._recorded is not None and stack._recorded.ready


def test_stacked_folds_are_those_of_processes(tmp_path: Path) -> None:
    asked: Any = {"folds": 3, "epochs": 3, "final": False, "quiet": True, "device": "cuda", "precision": "float32"}
    apart = crossvalidate("digits", "vae", runs=tmp_path / "apart", options=SMALL, **asked)
    stacked = crossvalidate("digits", "vae", runs=tmp_path / "stacked", options=SMALL, stack=True, **asked)
    assert stacked.metrics["loss"].mean == pytest.approx(apart.metrics["loss"].mean, rel=5e-3)


@pytest.mark.parametrize("preset", ["vae", "wae-mmd"])
def test_what_is_exchanged_over_nccl_leaves_one_process_what_it_is_alone(preset: str) -> None:
    """One GPU takes one process of NCCL: what it adds up is its own, on the way that many take."""
    alone, _ = fit(preset, "cuda", SMALL, epochs=3)
    dist.init_process_group("cpu:gloo,cuda:nccl", store=dist.HashStore(), rank=0, world_size=1)
    try:
        ranks = Ranks(Launch(rank=0, size=1, local_rank=0, local_size=1), dist.HashStore())
        joined, trainer = fit(preset, "cuda", SMALL, epochs=3, ranks=ranks)
        assert trainer.team is not None
    finally:
        dist.destroy_process_group()
    for one, other in zip(joined, alone, strict=True):
        assert one["train"]["loss"] == pytest.approx(other["train"]["loss"], rel=1e-3)
        assert one["validation"]["loss"] == pytest.approx(other["validation"]["loss"], rel=1e-3)


def test_more_processes_than_gpus_are_refused(tmp_path: Path) -> None:
    count = torch.cuda.device_count() + 1
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(count)]
    line = [sys.executable, *launcher, "-m", "latentia", "train", "digits", "--device", "cuda", "--runs", str(tmp_path)]
    done = subprocess.run(line, capture_output=True, timeout=300, text=True)
    assert done.returncode != 0 and f"there are {count} processes and {count - 1} GPUs on this machine" in done.stderr
    assert not list(tmp_path.iterdir())


def test_fine_tuning_is_recorded_from_its_first_steps() -> None:
    images = load("digits", "train")
    labels = draw_labels(images, 50)
    source = design("cae", SMALL).architecture.build(images.format, seed=1)
    losses = {}
    for graph in ("auto", "off"):
        settings = FineTuneSettings(epochs=3, batch_size=64, seed=1, graph=graph, precision="float32")
        model = classifier_from(source, labels.classes, FineTuning(), seed=1)
        device = torch.device("cuda")
        trainer = make_trainer(model, labels.applied(images), labels, FineTuning(), settings, device, quiet=True)
        losses[graph] = [record["train"]["loss"] for record in trainer.fit()]
        assert (trainer._recorded is not None and trainer._recorded.ready) == (graph == "auto")
    assert losses["auto"] == pytest.approx(losses["off"], rel=1e-2)


def test_stacked_fine_tunings_are_recorded_and_learn_what_each_learns_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    images, judged = load("digits", "train"), load("digits", "test")
    source = design("cae", SMALL).architecture.build(images.format, seed=1)
    asked = [
        (draw_labels(images, 100, seed), FineTuneSettings(epochs=4, batch_size=64, seed=seed, precision="float32"))
        for seed in range(3)
    ]
    stacks: list[Stack] = []
    begin = Stack.__init__

    def kept(self: Stack, members: Any) -> None:
        begin(self, members)
        stacks.append(self)

    monkeypatch.setattr(Stack, "__init__", kept)
    stacked = finetune_stacked(source, images, asked, FineTuning())
    ready = [one._recorded is not None and one._recorded.ready for one in stacks if len(one.members) == 3]
    updates = [one._updates.ready for one in stacks if len(one.members) == 3]
    assert any(ready) and any(updates)
    for model, (labels, settings) in zip(stacked, asked, strict=True):
        alone, _, _ = finetune_in_memory(source, images, labels, FineTuning(), settings)
        answers = [over(one, judged, lambda batch, one=one: one(batch.pixels)).argmax(1) for one in (model, alone)]
        assert (answers[0] == answers[1]).mean() > 0.95


@pytest.mark.parametrize("optimizer", ["adam", "adamw", "muon"])
def test_a_recorded_update_is_the_plain_one(optimizer: str) -> None:
    """Recorded passes are plain ones to the bit; the rates of a recorded update are rounded to single precision."""
    recorded, trainer = fit("cae", "cuda", SMALL, optimizer=optimizer, ema=0.9, clip=1.0, epochs=4)
    assert trainer._updates.ready
    plain, _ = fit("cae", "cuda", SMALL, optimizer=optimizer, ema=0.9, clip=1.0, epochs=4, graph="off")
    for one, other in zip(recorded, plain, strict=True):
        assert one["train"]["loss"] == pytest.approx(other["train"]["loss"], rel=1e-3)
        assert one["validation"]["loss"] == pytest.approx(other["validation"]["loss"], rel=1e-3)
        assert one["learning_rate"] == other["learning_rate"]
