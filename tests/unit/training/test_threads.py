"""A training takes the threads that are fastest for its step, found out once, and a run keeps the number it began with."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from latentia import load, train
from latentia.data.batches import Batches
from latentia.data.load import cache_folder
from latentia.presets import design
from latentia.training import threads
from latentia.training.settings import TrainSettings
from latentia.training.threads import computing_with, fastest_threads, fewest_of_the_fastest
from latentia.training.trainer import Trainer

SMALL: dict[str, Any] = {"widths": "8,8", "latent_dim": 3}


@pytest.fixture
def two_threads() -> Iterator[None]:
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(1)


def small_trainer(**settings: Any) -> Trainer:
    images, made = load("digits", "train").select(range(96)), design("vae", SMALL)
    model = made.architecture.build(images.format, seed=1)
    batches = Batches(images, images.format, 32, seed=1)
    asked = TrainSettings(epochs=2, batch_size=32, seed=1, **settings)
    return Trainer(model, made.objective, batches, None, asked, torch.device("cpu"), quiet=True)


def test_the_fewest_threads_that_are_hardly_slower_are_taken() -> None:
    assert fewest_of_the_fastest({1: 1.0, 2: 0.6, 4: 0.5, 8: 0.49, 16: 0.9}) == 4
    assert fewest_of_the_fastest({1: 0.51, 2: 0.5}) == 1
    assert threads._numbers(1) == [1]
    assert threads._numbers(6) == [1, 2, 4, 6]
    assert threads._numbers(8) == [1, 2, 4, 8]


def test_inside_so_many_threads_compute_as_are_asked_for() -> None:
    with computing_with(2):
        assert torch.get_num_threads() == 2
        with computing_with(0):
            assert torch.get_num_threads() == 2
    assert torch.get_num_threads() == 1


@pytest.mark.usefixtures("two_threads")
def test_it_is_measured_once_and_training_is_as_without() -> None:
    trainer, other = small_trainer(), small_trainer()
    state = torch.random.get_rng_state()
    found = fastest_threads(trainer)
    assert found in (1, 2) and torch.get_num_threads() == 2
    assert torch.equal(torch.random.get_rng_state(), state)
    assert list(json.loads((cache_folder() / "threads.json").read_text()).values()) == [found]
    with computing_with(1):
        histories = [each.fit() for each in (trainer, other)]
    losses = [[record["train"]["loss"] for record in history] for history in histories]
    assert losses[0] == losses[1]


@pytest.mark.usefixtures("two_threads")
def test_what_was_measured_is_kept_for_the_same_step_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def measured(trainer: Trainer, numbers: Any) -> dict[int, float]:
        asked.append(list(numbers))
        return {1: 1.0, 2: 0.5}

    monkeypatch.setattr(threads, "_measured", measured)
    assert [fastest_threads(small_trainer()) for _ in range(3)] == [2, 2, 2]
    assert asked == [[1, 2]]
    wider = small_trainer()
    wider.train.batch_size = 16
    fastest_threads(wider)
    assert len(asked) == 2


def test_fewer_threads_are_not_tried_once_they_are_much_slower(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "TOO_LONG", 3.0)
    taking = {8: 0.5, 4: 0.6, 2: 1.1, 1: 2.0}
    asked = []

    def seconds(*_: Any) -> float:
        asked.append(torch.get_num_threads())
        return taking[asked[-1]]

    monkeypatch.setattr(threads, "_seconds", seconds)
    assert threads._measured(small_trainer(), [1, 2, 4, 8]) == {8: 0.5, 4: 0.6, 2: 1.1}
    assert asked == [8, 8, 4, 4, 2, 2]  # and a step that takes so long is not measured again
    monkeypatch.setattr(threads, "LONG", 1.0)
    threads._measured(small_trainer(), [1, 2, 4, 8])
    assert asked.count(4) == 4 + threads.TURNS


@pytest.mark.usefixtures("two_threads")
@pytest.mark.parametrize("content", ["", "[1]", '{"a": "3"}', "no json"])
def test_a_spoilt_file_of_measurements_is_replaced(content: str) -> None:
    cache_folder().mkdir(parents=True)
    (cache_folder() / "threads.json").write_text(content)
    fastest_threads(small_trainer())
    assert len(json.loads((cache_folder() / "threads.json").read_text())) == 1


@pytest.mark.usefixtures("two_threads")
def test_a_cache_that_cannot_be_written_stops_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("LATENTIA_CACHE", str(tmp_path / "file"))
    assert fastest_threads(small_trainer()) in (1, 2)


@pytest.mark.usefixtures("two_threads")
def test_what_cannot_be_measured_takes_all_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> None:
        raise RuntimeError("no such copy")

    with monkeypatch.context() as patched:
        patched.setattr(threads, "_measured", fail)
        assert fastest_threads(small_trainer()) == 2
    monkeypatch.setattr(threads, "cache_folder", lambda: fail())
    assert fastest_threads(small_trainer()) in (1, 2)


@pytest.mark.usefixtures("two_threads")
def test_who_measured_meanwhile_is_believed(monkeypatch: pytest.MonkeyPatch) -> None:
    trainer = small_trainer()

    def measured(*_: Any) -> dict[int, float]:
        cache_folder().mkdir(parents=True)
        (cache_folder() / "threads.json").write_text(json.dumps({threads._key(trainer, 2): 2, "other": 1}))
        return {1: 0.1, 2: 0.5}

    monkeypatch.setattr(threads, "_measured", measured)
    assert fastest_threads(trainer) == 2
    assert json.loads((cache_folder() / "threads.json").read_text())["other"] == 1


def test_one_thread_is_nothing_to_choose_from(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "_measured", lambda *_: pytest.fail("it was measured"))
    assert fastest_threads(small_trainer()) == 1


@pytest.mark.usefixtures("two_threads")
def test_a_run_keeps_the_number_it_began_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "fastest_threads", lambda trainer: 2)
    computed: list[int] = []
    step = Trainer.train_step

    def watched(self: Trainer, *arguments: Any) -> Any:
        computed.append(torch.get_num_threads())
        if len(computed) == 4:
            raise KeyboardInterrupt
        return step(self, *arguments)

    monkeypatch.setattr(Trainer, "train_step", watched)
    images = load("digits", "train").select(range(300))
    more: dict[str, Any] = {"epochs": 2, "figures": False, "quiet": True, **SMALL}
    with pytest.raises(KeyboardInterrupt):
        train(images, "cae", into=tmp_path / "run", **more)
    assert json.loads((tmp_path / "run" / "run.json").read_text())["threads"] == 2
    monkeypatch.setattr(threads, "fastest_threads", lambda trainer: 1)
    train(images, "cae", into=tmp_path / "run", **more)
    assert set(computed) == {2}
