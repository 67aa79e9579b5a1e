"""Folds in processes, on a cluster, killed and interrupted: always the figures of one process, or a sentence."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from latentia import crossvalidate
from latentia.api import open_crossvalidation
from latentia.cli.main import cli
from latentia.core.errors import LatentiaError, UserError
from latentia.studies import crossvalidation, workers
from latentia.studies.fold_run import Outcome, run_fold
from latentia.studies.result import CrossValidation

QUICK = {"encoder__widths": "4,8", "latent_dim": 3, "epochs": 2, "batch_size": 64, "folds": 3, "final": False}


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> CrossValidation:
    return crossvalidate("digits", runs=tmp_path_factory.mktemp("alone"), quiet=True, **QUICK)


def check_same(result: CrossValidation, alone: CrossValidation) -> None:
    np.testing.assert_array_equal(result.errors, alone.errors)
    np.testing.assert_array_equal(result.codes, alone.codes)


@pytest.mark.parametrize("backend", ["processes", "loky"])
def test_processes_of_this_machine(alone: CrossValidation, tmp_path: Path, backend: str) -> None:
    if backend == "processes" and sys.platform != "linux":
        pytest.skip("folds are forked on Linux only")
    check_same(crossvalidate("digits", runs=tmp_path, jobs=2, backend=backend, quiet=True, **QUICK), alone)


def test_a_cluster_of_two_workers(alone: CrossValidation, tmp_path: Path) -> None:
    distributed = pytest.importorskip("distributed", reason="the backend dask needs the extra dask")
    words = ["crossval", "digits", "--folds", "3", "--epochs", "2", "--encoder.widths", "4,8", "--latent-dim", "3"]
    words += ["--batch-size", "64", "--no-final", "--no-figures", "--runs", str(tmp_path), "--backend", "dask"]
    with distributed.LocalCluster(2, processes=True, threads_per_worker=1, dashboard_address=None) as cluster:
        done = CliRunner().invoke(cli, [*words, "--scheduler", cluster.scheduler_address])
    assert done.exit_code == 0, done.output
    assert "by the workers of dask" in done.stderr
    check_same(open_crossvalidation(done.stdout.splitlines()[-1]), alone)


def dying(result: str, number: int) -> Outcome:
    if number == 1:
        os._exit(1)
    return run_fold(result, number)


def test_a_fold_whose_worker_on_a_cluster_dies_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    distributed = pytest.importorskip("distributed", reason="the backend dask needs the extra dask")
    import dask

    monkeypatch.setattr(
        crossvalidation, "run_folds", lambda *given: workers.run_folds(*given, work=f"{__name__}:dying")
    )
    quiet = {"processes": True, "threads_per_worker": 1, "dashboard_address": None, "silence_logs": 50}
    with (
        dask.config.set({"distributed.scheduler.allowed-failures": 0}),
        distributed.LocalCluster(2, **quiet) as cluster,
        pytest.raises(LatentiaError, match=r"1 of 3 trainings in .* fold 1: its worker process died"),
    ):
        crossvalidate("digits", runs=tmp_path, backend="dask", scheduler=cluster.scheduler_address, quiet=True, **QUICK)
    assert len(list(tmp_path.glob("*/fold-*/out-of-fold.safetensors"))) == 2


def test_what_a_joblib_backend_was_set_to_is_used(alone: CrossValidation, tmp_path: Path) -> None:
    from joblib import parallel_config, register_parallel_backend
    from joblib._parallel_backends import LokyBackend

    asked: list[int] = []

    class Counting(LokyBackend):
        def effective_n_jobs(self, n_jobs: int) -> int:
            asked.append(n_jobs)
            return int(super().effective_n_jobs(n_jobs))

    register_parallel_backend("counting", Counting)
    with parallel_config(backend="counting"):
        check_same(crossvalidate("digits", runs=tmp_path, jobs=2, quiet=True, **QUICK), alone)
    assert asked


def test_threads_are_refused(tmp_path: Path) -> None:
    from joblib import parallel_config

    with (
        parallel_config(backend="threading"),
        pytest.raises(UserError, match="threads, which share PyTorch's random generator"),
    ):
        crossvalidate("digits", runs=tmp_path, jobs=2, quiet=True, **QUICK)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"backend": "dusk"}, "there is no backend called 'dusk'; did you mean 'dask'"),
        ({"backend": "dask"}, "the backend dask needs the address of its scheduler"),
        ({"scheduler": "tcp://here:1"}, "is for the backends dask and ray, not auto: name one of them"),
    ],
)
def test_backends_that_cannot_be_used(tmp_path: Path, options: dict[str, str], sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        crossvalidate("digits", runs=tmp_path, quiet=True, **options, **QUICK)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("backend", "module"), [("dask", "distributed"), ("ray", "ray")])
def test_a_backend_that_is_not_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, backend: str, module: str
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(UserError, match=rf"needs {module}: pip install 'latentia\[{backend}\]'"):
        crossvalidate("digits", runs=tmp_path, backend=backend, scheduler="tcp://here:1", quiet=True, **QUICK)


WORDS = ["crossval", "digits", "--folds", "3", "--epochs", "500", "--no-final", "--jobs", "2", "--no-figures"]


def start(runs: Path) -> subprocess.Popen[bytes]:
    words = [sys.executable, "-m", "latentia", *WORDS, "--runs", str(runs)]
    return subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True)


def wait_for(runs: Path, pattern: str, count: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 60
    while len(list(runs.glob(pattern))) < count:
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.02)


def descendants(process: int) -> list[int]:
    found = [process]
    for parent in found:
        tasks = Path(f"/proc/{parent}/task")
        for task in tasks.iterdir() if tasks.is_dir() else []:
            found += [int(word) for word in (task / "children").read_text().split()]
    return found[1:]


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_to_the_command_alone_lets_every_fold_save_its_state(tmp_path: Path, number: signal.Signals) -> None:
    process = start(tmp_path)
    wait_for(tmp_path, "*/fold-*/metrics.jsonl", 2, process)
    below = descendants(process.pid)
    assert len(below) == 3  # the nursery and two folds
    process.send_signal(number)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 128 + number, errors.decode()
    assert b"cross-validation was interrupted" in errors
    assert b"Traceback" not in errors
    assert not [each for each in below if Path(f"/proc/{each}").exists()]
    saved = [folder.parent.parent for folder in tmp_path.glob("*/fold-*/last/checkpoint.safetensors")]
    assert len(saved) == 2
    assert all('"status": "interrupted"' in (folder / "run.json").read_text() for folder in saved)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_no_process_outlives_a_killed_command(tmp_path: Path) -> None:
    process = start(tmp_path)
    wait_for(tmp_path, "*/fold-*/metrics.jsonl", 2, process)
    below = descendants(process.pid)
    process.kill()
    process.communicate(timeout=60)  # until nobody holds its stderr any more
    deadline = time.monotonic() + 20
    while any(Path(f"/proc/{each}").exists() and " Z " not in Path(f"/proc/{each}/stat").read_text() for each in below):
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_killed_fold_is_reported_and_takes_no_other_with_it(tmp_path: Path) -> None:
    words = [sys.executable, "-m", "latentia", *["30" if word == "500" else word for word in WORDS], "--runs", tmp_path]
    process = subprocess.Popen(list(map(str, words)), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    wait_for(tmp_path, "*/fold-*/metrics.jsonl", 1, process)
    victim = descendants(process.pid)[-1]
    os.kill(victim, signal.SIGKILL)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 1
    last = errors.decode().splitlines()[-1]
    assert "1 of 3 trainings in" in last
    assert "its worker process died" in last
    assert len(list(tmp_path.glob("*/fold-*/out-of-fold.safetensors"))) == 2


def test_a_worker_that_does_not_see_the_folder_says_so(tmp_path: Path) -> None:
    assert "a file system that all of them share" in run_fold(str(tmp_path / "elsewhere"), 0).problem


def test_a_full_disk_ends_it_with_its_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from latentia.core.errors import StorageError
    from latentia.studies import fold_run

    def full(*given: object, **more: object) -> None:
        raise StorageError("could not write it: the disk is full")

    monkeypatch.setattr(fold_run, "begin_run", full)
    with pytest.raises(LatentiaError, match="the disk is full"):
        crossvalidate("digits", runs=tmp_path, quiet=True, **QUICK)
