"""MNIST with 100, 1,000 and all labels: the table of errors on the test split, beside training from scratch and scikit-learn.

Settings: an autoencoder (`cae` by default) is trained on the training split without labels; class-balanced labels are drawn
ten times (Rasmus et al. 2015, section 4.1) and given to every row alike. Nothing but these labels is read before the test:
there is no early stopping, and the temperature needs none. Rows: the default of `latentia finetune`, the same without
augmentation, both networks from scratch, logistic regression and an SVM on raw pixels and on PCA, a probe on frozen codes.
Goals, not results: 100 labels 1.5 %, 1,000 labels 1.0 %, all 0.5 %. What was measured stands in docs/figures.md, with the
files in recipes/results that begin with few_labels.

    python recipes/few_labels.py                                    MNIST, hours on a CPU; stopped, it goes on
    python recipes/few_labels.py --stack --jobs 4                   one GPU, minutes: all draws of a row are trained as one
    python recipes/few_labels.py digits --labels 30 100 --draws 3 --epochs 20 --pretrain-epochs 40
"""

from __future__ import annotations

import argparse
import dataclasses
import functools
import multiprocessing
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rows import Rows

from latentia import load, open_run, train
from latentia.data.imageset import ImageSet
from latentia.finetuning import FineTuning
from latentia.runs import Run
from latentia.studies.learning_curve import Problem, measure, measure_stacked
from latentia.tasks.shallow import Spaces
from latentia.training.device import describe_device, resolve_device
from latentia.training.settings import FineTuneSettings
from latentia.training.storage import model_digest

PLAIN = FineTuning(augmentation="none")
NETWORKS = {
    "default": ("pre-trained", FineTuning()),
    "no augmentation": ("pre-trained", PLAIN),
    "from scratch": ("scratch", FineTuning()),
    "from scratch, no augmentation": ("scratch", PLAIN),
}
OTHERS = ("pixels-logistic", "pixels-svm", "pca-logistic", "pca-svm", "codes-logistic")
ROWS = (*NETWORKS, *OTHERS)
Task = tuple[str, str, list[int]]  # labels, row, draws


def pretrained(data: str, preset: str, epochs: int, seed: int, runs: Path) -> Run:
    """Return the autoencoder, trained where it is not there yet, or gone on with where it was stopped."""
    asked = {"preset": preset, "seed": seed}
    for path in sorted(runs.glob("*/run.json")):
        run = open_run(path.parent)
        if run.kind != "autoencoder" or run.description["data"]["source"] != data:
            continue
        settings = run.description["settings"]
        same = {"preset": run.description["preset"], "seed": settings["seed"]} == asked
        if same and epochs in (0, settings["epochs"]):
            finished = run.description["status"] == "finished"
            return run if finished else train(resume=run.path, figures=False)
    return train(data, preset, epochs=epochs, seed=seed, runs=runs, figures=False)


def main(
    data: str,
    names: list[str],
    labels: list[str],
    draws: int,
    epochs: int,
    preset: str,
    pretrain_epochs: int,
    output: Path | None,
    runs: Path,
    seed: int = 0,
    jobs: int = 1,
    split: str = "test",
    stack: bool = False,
) -> Rows:
    """Measure what is not yet measured, and print the table."""
    run = pretrained(data, preset, pretrain_epochs, seed, runs)
    settings = {"data": data, "preset": preset, "epochs": epochs, "model": model_digest(run.path)}
    rows = Rows(output, settings if split == "test" else {**settings, "judged by": split})
    waiting: list[Task] = []
    for text in labels:
        for name in names:
            missing = [draw for draw in range(draws) if not rows.has(row=name, labels=text, seed=draw)]
            together = stack and name in NETWORKS
            waiting += [(text, name, missing)] if together else [(text, name, [draw]) for draw in missing]
    work = functools.partial(some, data, str(run.path), split, epochs)
    for (text, name, draws_of_it), found in side_by_side(work, waiting, jobs):
        for draw, each in zip(draws_of_it, found, strict=True):
            rows.add(row=name, labels=text, seed=draw, **each, jobs=jobs)
    show(rows, names, labels)
    return rows


def side_by_side(work: Any, waiting: list[Task], jobs: int) -> Iterator[tuple[Task, list[dict[str, Any]]]]:
    """Yield what ``work`` gives for each of ``waiting``, as they come."""
    if jobs == 1:
        yield from ((task, work(task)) for task in waiting)
        return
    with multiprocessing.get_context("spawn").Pool(jobs) as pool:
        yield from pool.imap_unordered(functools.partial(_with_task, work), waiting)


def _with_task(work: Any, task: Task) -> tuple[Task, list[dict[str, Any]]]:
    torch.set_num_threads(1)
    return task, work(task)


@functools.cache
def problem_parts(data: str, path: str, split: str) -> tuple[Run, ImageSet, ImageSet, Spaces]:
    """Return what all rows have in common."""
    run, pool, judged = open_run(path), load(data, "train"), load(data, split)
    return run, pool, judged, Spaces(pool, run.model, judged)


def some(data: str, path: str, split: str, epochs: int, task: Task) -> list[dict[str, Any]]:
    """Return the error of one row with each of some draws of labels, whose networks are trained as one."""
    text, name, draws = task
    run, pool, judged, spaces = problem_parts(data, path, split)
    assert pool.labels is not None
    count = int((pool.labels >= 0).sum()) if text == "all" else int(text)
    kind, how = NETWORKS.get(name, (name, FineTuning()))
    settings = dataclasses.replace(FineTuneSettings(), epochs=epochs)
    problem = Problem(run.model, model_digest(run.path), pool, judged, f"{split} images", how, settings)
    started = time.time()
    one_by_one = len(draws) == 1
    found = (
        [measure(problem, spaces, kind, count, draws[0])]
        if one_by_one
        else measure_stacked(problem, kind, count, draws)
    )
    minutes, device = (time.time() - started) / 60 / len(draws), describe_device(resolve_device("auto"))
    return [{"error": each["error"], "note": each["note"], "minutes": minutes, "device": device} for each in found]


def show(rows: Rows, names: list[str], labels: list[str]) -> None:
    """Print mean, spread and worst of each row and number of labels."""
    print(f"\n{'test error':<32}{'labels':>8}{'mean':>9}{'std':>8}{'worst':>9}{'draws':>7}{'minutes':>9}")
    for text in labels:
        for name in names:
            found = rows.values("error", row=name, labels=text)
            if found:
                std = f"{np.std(found, ddof=1):.2%}" if len(found) > 1 else "-"
                minutes = np.median(rows.values("minutes", row=name, labels=text))
                print(
                    f"{name:<32}{text:>8}{np.mean(found):>9.2%}{std:>8}{max(found):>9.2%}{len(found):>7}{minutes:>9.1f}"
                )


if __name__ == "__main__":
    here = Path(__file__).parent / "results"
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", nargs="?", default="mnist")
    parser.add_argument("--rows", dest="names", nargs="+", default=list(ROWS), choices=list(ROWS))
    parser.add_argument("--labels", nargs="+", default=["100", "1000", "all"])
    parser.add_argument("--draws", type=int, default=10)
    parser.add_argument("--epochs", type=int, default=0, help="of fine-tuning; 0: the default")
    parser.add_argument("--preset", default="cae")
    parser.add_argument("--pretrain-epochs", type=int, default=0, help="0: the default")
    parser.add_argument("--jobs", type=int, default=1, help="trainings side by side, of one thread each")
    parser.add_argument("--stack", action="store_true", help="train all draws as one: for a GPU")
    parser.add_argument("--split", default="test", help="who judges; settings are chosen by validation")
    parser.add_argument("--threads", type=int, default=0, help="of the processor; 0: PyTorch's choice")
    parser.add_argument("--runs", type=Path, default=here / "few_labels_runs", help="where the autoencoder is kept")
    parser.add_argument("-o", "--output", type=Path, default=here / "few_labels.json")
    given = vars(parser.parse_args())
    if threads := given.pop("threads"):
        torch.set_num_threads(threads)
    main(**given)
