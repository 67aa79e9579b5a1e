"""Each finding with its fault planted and without, over several seeds; the slow campaign takes twenty, and every preset."""

from __future__ import annotations

import dataclasses
import functools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from scipy.ndimage import gaussian_filter

from latentia import load, open_run, train
from latentia.cli.main import cli
from latentia.core.errors import UserError
from latentia.data.imageset import ImageSet, PixelFormat, from_array
from latentia.presets import PRESETS, design
from latentia.runs import Run
from latentia.tasks import findings
from latentia.tasks.doctor import FAULT, FINE, LOOK, Diagnosis, Patient, examine, kinds_of_finding
from latentia.tasks.findings.rank import effective_rank
from latentia.tasks.identity import IdentityScore

QUICK = {"quiet": True, "figures": False}
SEEDS = [0, 1, 2, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(3, 20))]
OPTIONS = {"vae": {"epochs": 20, "learning_rate": 4e-3}, "cae": {"epochs": 25, "learning_rate": 4e-3}}


@functools.cache
def healthy(preset: str, seed: int) -> Patient:
    """Return a sound patient: a short training on digits of which nothing is wrong but its length."""
    import tempfile

    digits, held = load("digits", "train"), load("digits", "validation")
    with tempfile.TemporaryDirectory() as runs:
        run = train(digits, preset, validation=held, runs=runs, seed=seed, latent_dim=12, **QUICK, **OPTIONS[preset])
        return Patient(run.model, run.objective, held, digits, run.history)


def another(patient: Patient, **changed: Any) -> Patient:
    """Return the patient with something changed; what was worked out of it is worked out anew."""
    return dataclasses.replace(patient, **changed)


def verdict(name: str, patient: Patient) -> str | None:
    found = kinds_of_finding()[name](patient)
    return None if found is None else found.verdict


def with_weights(patient: Patient, change: Callable[[torch.nn.Module], None]) -> Patient:
    import copy

    model = copy.deepcopy(patient.model)
    with torch.no_grad():
        change(model)
    return another(patient, model=model)


def silence(module: torch.nn.Module) -> None:
    for parameter in module.parameters():
        parameter.zero_()


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("preset", ["cae", "vae"])
def test_a_sound_patient_is_sound(preset: str, seed: int) -> None:
    patient = healthy(preset, seed)
    found = {name: verdict(name, patient) for name in kinds_of_finding() if name != "fit"}
    assert FAULT not in found.values(), found
    expected = dict.fromkeys(("identity", "duplicates", "pixels", "rank"), FINE)
    assert {name: found[name] for name in expected} == expected
    assert found["collapse"] == (FINE if preset == "vae" else None)


@pytest.mark.parametrize("seed", SEEDS)
def test_faults_that_are_planted_are_found(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    sound, vae = healthy("cae", seed), healthy("vae", seed)
    fresh = design("cae", {"latent_dim": 12}).architecture.build(sound.model.format, seed=seed).eval()
    assert verdict("baselines", another(sound, model=fresh)) == FAULT
    assert verdict("collapse", with_weights(vae, lambda model: silence(model.bottleneck))) == FAULT
    assert verdict("rank", with_weights(sound, lambda model: silence(model.bottleneck))) == FAULT
    blurred = another(sound)
    blurred.__dict__["restored"] = gaussian_filter(sound.unit, (0, 0, 1.5, 1.5))
    assert verdict("blur", blurred) == LOOK
    sharp = another(sound)
    sharp.__dict__["restored"] = sound.unit
    assert verdict("blur", sharp) == FINE
    random = np.random.default_rng(seed)
    seen = sound.train.select(random.choice(len(sound.train), 60, replace=False))  # type: ignore[union-attr]
    assert verdict("duplicates", another(sound, images=seen)) == FAULT
    shifted = sound.images.with_pixels(sound.images.pixels)
    narrow = dataclasses.replace(sound.model.format, high=float(random.integers(6, 12)))
    model_of_less = with_weights(sound, lambda model: None)
    model_of_less.model.format = narrow
    assert verdict("pixels", another(model_of_less, images=shifted)) == FAULT
    monkeypatch.setattr(findings.identity, "identity_score", lambda *_: IdentityScore(0.95, 0.9, 10))
    assert verdict("identity", sound) == FAULT


def history(training: list[float], validation: list[float]) -> list[dict[str, Any]]:
    pairs = zip(training, validation, strict=True)
    return [{"train": {"loss": t, "mse": t}, "validation": {"loss": v, "mse": v}} for t, v in pairs]


@pytest.mark.parametrize(
    ("training", "validation", "expected", "says"),
    [
        ([9, 5, 3, 2.2, 2.05, 2.01, 2.0], [9, 5, 3, 2.3, 2.1, 2.06, 2.05], FINE, "settled"),
        ([9, 5, 3, 2, 1, 0.5, 0.2], [9, 5, 3.5, 3, 3.6, 4.5, 5], LOOK, "it over-fits"),
        ([9, 8, 7, 6, 5, 4, 3], [9, 8, 7, 6, 5, 4, 3], LOOK, "still falls"),
        ([9, 9, 9, 9, 9], [5, 6, 7, 8, 9], LOOK, "has not fallen"),
    ],
)
def test_curves(training: list[float], validation: list[float], expected: str, says: str) -> None:
    patient = another(healthy("cae", 0), history=history(training, validation))
    found = kinds_of_finding()["fit"](patient)
    assert found is not None and found.verdict == expected and says in found.says
    assert bool(found.remedy) == (expected != FINE)


def test_an_error_far_above_that_on_training_images_is_over_fitting() -> None:
    settled = history([9, 5, 3, 2.2, 2.05, 2.01, 2.0], [9, 5, 3, 2.3, 2.1, 2.06, 2.05])
    patient = another(healthy("cae", 0), history=settled)
    assert patient.training_error is not None and 0.3 < patient.error / patient.training_error < 3
    patient.__dict__["training_error"] = patient.error / 3.1
    found = kinds_of_finding()["fit"](patient)
    assert found is not None and found.verdict == LOOK and "3.1 times that on training images" in found.says
    seen = another(patient, held_out=False)
    assert seen.training_error is None


def test_remedies_name_options_that_exist() -> None:
    """What a finding advises can be typed."""
    import re

    from latentia.parts import KINDS
    from latentia.training.settings import TrainSettings

    texts = "".join(path.read_text() for path in Path(findings.__file__).parent.glob("*.py"))
    known = {"preset", *KINDS, *TrainSettings.__dataclass_fields__, "latent_dim"}
    for option, value in re.findall(r"--([a-z.-]+)(?: ([a-z-]+))?", texts):
        kind, dot, field = option.replace("-", "_").partition(".")
        if dot:
            assert any(field in KINDS[kind].make(name).fields() for name in KINDS[kind].names()), option
        else:
            assert kind in known, option
        if kind in KINDS and not dot and value:
            assert value in KINDS[kind].names(), (option, value)
        if kind == "preset" and value:
            assert value in PRESETS, value


def test_grey_pixels_under_a_bernoulli_and_dark_ones_in_a_wide_range() -> None:
    vae = healthy("vae", 0)
    assert verdict("likelihood", vae) == FINE
    grey = vae.images.with_pixels(np.clip(vae.images.pixels, 100, 160))
    assert verdict("likelihood", another(vae, images=grey)) == LOOK
    pixels = np.random.default_rng(0).integers(0, 4000, (20, 1, 8, 8)).astype(np.uint16)
    model = design("cae", {"latent_dim": 3}).architecture.build(PixelFormat(1, 8, 8, "uint16", 0, 65535), seed=0)
    found = kinds_of_finding()["pixels"](another(vae, model=model.eval(), images=from_array(pixels)))
    assert found is not None and found.verdict == FAULT and "stretch" in found.remedy


def test_effective_rank_by_hand() -> None:
    assert effective_rank(np.ones(5)) == pytest.approx(5)
    assert effective_rank(np.array([3.0, 0.0])) == pytest.approx(1)
    assert effective_rank(np.zeros(3)) == 0


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("shape", [(20, 3, 12, 9), (1, 1, 8, 8)])
def test_every_preset_can_be_examined(preset: str, shape: tuple[int, ...]) -> None:
    images = from_array(np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8))
    chosen = design(preset)
    try:
        model = chosen.architecture.build(images.format, seed=0).eval()
    except UserError as error:
        pytest.skip(str(error))
    found = examine(Patient(model, chosen.objective, images, images, (), held_out=False))
    assert found.findings and all(each.remedy or each.verdict == FINE for each in found.findings)
    assert all(np.isfinite(list(each.numbers.values())).all() for each in found.findings)
    assert Diagnosis.from_json(json.loads(json.dumps(found.to_json()))) == found


def test_the_command_prints_a_page_and_keeps_it(tmp_path: Path) -> None:
    run = train("digits", "vae", runs=tmp_path, epochs=5, **QUICK)
    result = CliRunner().invoke(cli, ["doctor", str(run.path)], catch_exceptions=False)
    assert result.exit_code == 0 and "vae on digits, examined with 180 images of digits" in result.stdout
    kept = Diagnosis.from_json(json.loads((run.path / "doctor.json").read_text()))
    assert str(kept) == result.stdout.rstrip("\n")
    ranks = [(FAULT, LOOK, FINE).index(each.verdict) for each in kept.findings]
    assert ranks == sorted(ranks)


def test_bad_requests_get_one_sentence(tmp_path: Path) -> None:
    digits = load("digits").select(np.arange(40))
    run = train(digits, runs=tmp_path, epochs=1, **QUICK)
    with pytest.raises(UserError, match="was trained on images in memory: name images to examine it with"):
        run.doctor()
    assert isinstance(open_run(run.path).doctor(digits), Diagnosis)
    with pytest.raises(UserError, match=r"trained on images of 1 channel\(s\), but array has 3"):
        run.doctor(np.zeros((2, 3, 8, 8), np.uint8))
    from latentia.api import finetune

    classifier: Run = finetune(run, digits, labels=20, epochs=1, runs=tmp_path, mode="probe", **QUICK)
    with pytest.raises(UserError, match="is a classifier's run: the doctor examines autoencoders"):
        classifier.doctor(digits)
    empty: ImageSet = digits.select(np.arange(0))
    with pytest.raises(UserError, match="has no images, so there is nothing to examine"):
        examine(Patient(run.model, run.objective, empty))


@pytest.mark.parametrize(
    ("losses", "remedy"), [([9.0, 5, 2, 1, 1], "more --epochs"), ([9.0, 1, 2, 3, 3], "more images")]
)
def test_longer_training_is_no_remedy_where_images_are_learned_by_heart(
    losses: list[float], remedy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from latentia.tasks.findings import baselines

    monkeypatch.setattr(baselines, "baseline_errors", lambda *what: {"mean image": 1e9, "PCA": 0.0})
    patient = another(healthy("cae", 0), history=[{"validation": {"loss": loss}} for loss in losses])
    found = baselines.find(patient)
    assert found is not None and found.verdict == "look"
    assert found.remedy == f"PCA does better with as many numbers: {remedy}, or take PCA"


def test_a_pattern_of_the_network_is_no_sharpness() -> None:
    from latentia.tasks.findings import blur

    patient = another(healthy("cae", 0))
    board = np.indices(patient.unit.shape[2:]).sum(0) % 2
    patient.__dict__["restored"] = np.broadcast_to(board, patient.unit.shape).astype(np.float32)
    found = blur.find(patient)
    assert found is not None and found.verdict == "look"
    assert "more --epochs" in found.remedy
