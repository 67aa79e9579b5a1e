"""Real processes, killed at random moments and resumed: the final weights are those of an undisturbed run, to the bit."""

from __future__ import annotations

import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

OPTIONS = ["--encoder.widths", "8,16", "--epochs", "20", "--checkpoint-seconds", "0.05", "--no-figures", "--quiet"]
SETTINGS = {
    "adam": ["--optimizer", "adam", "--schedule", "cosine"],
    "adamw": ["--optimizer", "adamw", "--schedule", "linear", "--ema", "0.9"],
    "sgd": ["--optimizer", "sgd:momentum=0.9", "--schedule", "step", "--learning-rate", "1e-4"],
    "dae": ["--preset", "dae", "--schedule", "constant", "--encoder.dropout", "0.1"],
}


def start(*words: object) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "latentia", "train", *map(str, words)]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def digest(folder: Path) -> str:
    return hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()


def train_through_kills(runs: Path, words: list[str], kills: int, seed: int) -> tuple[Path, int]:
    """Kill a training run up to ``kills`` times at random moments; return its folder and how often it was killed."""
    chance = random.Random(seed)
    folder: Path | None = None
    done = 0
    for _ in range(60):
        process = (
            start("digits", *words, *OPTIONS, "--runs", runs)
            if folder is None
            else start("--resume", folder, "--quiet", "--no-figures")
        )
        if done < kills:
            begun = wait_for_checkpoint(runs, process)
            if begun is not None:
                folder = begun
                time.sleep(chance.uniform(0, 0.5))
                if process.poll() is None:
                    process.send_signal(chance.choice([signal.SIGKILL, signal.SIGKILL, signal.SIGTERM, signal.SIGINT]))
                    done += 1
        _, errors = process.communicate(timeout=120)
        if process.returncode == 0:
            return folder or next(runs.iterdir()), done
        # a SIGTERM before or after training itself ends the process as it ends any
        clean = (128 + signal.SIGINT, 128 + signal.SIGTERM, -signal.SIGTERM)
        assert process.returncode in (-signal.SIGKILL, *clean), errors.decode()
        assert b"Traceback" not in errors
    raise AssertionError("the run never came to its end")


def wait_for_checkpoint(runs: Path, process: subprocess.Popen[bytes]) -> Path | None:
    """Return the run's folder once this process has written a state, or ``None`` when it has ended."""
    started = time.time()
    while process.poll() is None and time.time() - started < 60:
        for state in runs.glob("*/last/checkpoint.safetensors"):
            if state.stat().st_mtime >= started:
                return state.parent.parent
        time.sleep(0.01)
    return None


def check(tmp_path: Path, name: str, kills: int, seed: int) -> int:
    words = SETTINGS[name]
    (tmp_path / "whole").mkdir()
    (tmp_path / "cut").mkdir()
    whole, _ = train_through_kills(tmp_path / "whole", words, 0, seed)
    cut, done = train_through_kills(tmp_path / "cut", words, kills, seed)
    assert digest(whole) == digest(cut)
    records = [
        [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()] for folder in (whole, cut)
    ]
    assert [(r["epoch"], r["train"], r["validation"]) for r in records[0]] == [
        (r["epoch"], r["train"], r["validation"]) for r in records[1]
    ]
    assert not list(cut.rglob("*.tmp-*"))
    return done


def test_a_killed_run_ends_like_an_undisturbed_one(tmp_path: Path) -> None:
    assert check(tmp_path, "adam", kills=2, seed=0) >= 1


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("name", sorted(SETTINGS))
def test_thirty_random_kills(tmp_path: Path, name: str, seed: int) -> None:
    """Eight campaigns of four to six kills each, at least thirty-two in all; the weights are equal in every one."""
    assert check(tmp_path, name, kills=6, seed=seed) >= 4


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(6))
def test_a_kill_while_the_cache_is_written(tmp_path: Path, seed: int) -> None:
    import numpy as np
    from PIL import Image

    images = np.random.default_rng(0).integers(0, 256, (1200, 16, 16), dtype=np.uint8)
    (tmp_path / "images").mkdir()
    for number, pixels in enumerate(images):
        Image.fromarray(pixels).save(tmp_path / "images" / f"{number}.png")
    code = (
        "import sys\nif __name__ == '__main__':\n    from latentia import load\n"
        "    print(load(sys.argv[1], quiet=True).fingerprint)"
    )
    script = tmp_path / "read.py"
    script.write_text(code)

    def read(**more: object) -> subprocess.Popen[str]:
        environment = {**os.environ, "LATENTIA_CACHE": str(tmp_path / "cache")}
        return subprocess.Popen(
            [sys.executable, str(script), str(tmp_path / "images")],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
            start_new_session=True,
        )

    chance = random.Random(seed)
    for _ in range(3):
        process = read()
        time.sleep(chance.uniform(0.3, 2.0))
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
    output, errors = read().communicate()
    assert output.strip(), errors
    again, _ = read().communicate()
    assert output == again
