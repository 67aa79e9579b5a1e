"""Choosing settings without labels: cross-validate each on the same folds, and recommend by the one-standard-error rule.

Of the settings whose out-of-fold error is within one standard error of the best's, the simplest is taken (Breiman et al.
1984, section 3.4.3): the smallest code, then the fewest weights, then the steadier error. The standard error is the corrected
one of Nadeau & Bengio 2003.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from latentia.core.errors import Interrupted, LatentiaError, StorageError, UserError, unknown
from latentia.core.notebook import Printed
from latentia.core.spec import parse
from latentia.presets import design
from latentia.studies.crossvalidation import crossvalidate
from latentia.studies.result import METRIC, CrossValidation, compare
from latentia.studies.search import Range, Setting, corners, need_optuna, optuna_search, read_range
from latentia.studies.statistics import Estimate
from latentia.training.asked import separate
from latentia.training.run_folder import RunFolder
from latentia.training.storage import load_model

STEADY = 3.0  # a setting whose folds differ this many times more than is usual among the settings is not recommended
MOST = 200  # settings in a grid


@dataclasses.dataclass(frozen=True)
class Candidate:
    """A cross-validated setting.

    Attributes:
        name: what tells it from the others, such as ``vae:beta=4 latent_dim=8``.
        result: its cross-validation.
        figure: the out-of-fold figure it is judged by; lower is better.
        code_size, weights: of its model.
        p_value: of the paired test against the best; NaN of the best itself.
        steady: whether its folds agree about as well as those of the others.
    """

    name: str
    result: CrossValidation
    figure: Estimate
    code_size: int
    weights: int
    p_value: float
    steady: bool


@dataclasses.dataclass(frozen=True)
class Selection(Printed):
    """Settings in order of their error.

    Attributes:
        path: the folder of the selection.
        metric: the figure that judges.
        candidates: the best first.
        recommended: the simplest of those within one standard error of the best.
        note: how the settings were found, where they are not all combinations.
    """

    path: Path
    metric: str
    candidates: tuple[Candidate, ...]
    recommended: Candidate
    note: str = ""

    @property
    def limit(self) -> float:
        """The best mean plus its corrected standard error."""
        best = self.candidates[0].figure
        return best.mean + (0.0 if math.isnan(best.error) else best.error)

    def to_json(self) -> dict[str, Any]:
        """Return everything but the results, which are named by their folders."""
        return {
            "metric": self.metric,
            "recommended": self.recommended.name,
            "limit": self.limit,
            "note": self.note,
            "candidates": [
                {
                    "name": each.name,
                    "result": str(each.result.path),
                    "figure": dataclasses.asdict(each.figure),
                    "code_size": each.code_size,
                    "weights": each.weights,
                    "p_value": None if math.isnan(each.p_value) else each.p_value,
                    "steady": each.steady,
                }
                for each in self.candidates
            ],
        }

    def __str__(self) -> str:
        width = max(len(each.name) for each in self.candidates)
        lines = [
            f"{len(self.candidates)} settings by out-of-fold {self.metric}; within one standard error of the best is "
            f"up to {self.limit:.5g}",
            f"    {'setting':<{width}} {'mean':>11} {'std':>9} {'code':>6} {'weights':>10}   p against the best",
        ]
        for each in self.candidates:
            mark = "->" if each is self.recommended else "  "
            versus = "" if math.isnan(each.p_value) else f"{each.p_value:.3g}"
            lines.append(
                f" {mark} {each.name:<{width}} {each.figure.mean:>11.5g} {each.figure.std:>9.2g} {each.code_size:>6,} "
                f"{each.weights:>10,}   {versus}" + ("" if each.steady else "  unsteady")
            )
        if self.note:
            lines.append(self.note)
        lines.append(
            f"recommended: {self.recommended.name}: the simplest that is within one standard error of the best"
        )
        return "\n".join(lines)


def select(
    data: Any,
    presets: str | Sequence[str] = "cae",
    *,
    metric: str = METRIC,
    grid: Mapping[str, Any] | None = None,
    search: str = "grid",
    trials: int = 20,
    runs: str | os.PathLike[str] = "runs",
    say: Callable[[str], None] | None = None,
    **options: Any,
) -> Selection:
    """Cross-validate settings on the same folds and recommend one.

    Args:
        data: whatever :func:`latentia.load` takes.
        presets: one or several; ``"vae:beta=1,4"`` stands for two.
        metric: the figure to judge by: ``reconstruction_mse``, or any that all the settings have and mean the same by
            (losses of different likelihoods do not compare).
        grid: values by option, such as ``{"latent_dim": [2, 8, 32]}``; a text with commas stands for several values.
        search: ``grid`` tries every combination; ``optuna`` tries ``trials`` of them, and takes ranges such as ``"2..64"``.
        trials: how many settings Optuna tries; the same ones again where ``split_seed`` is the same.
        runs: where the results' folders are; a setting that is there already is not trained again.
        say: told what a person should know.
        **options: what :func:`crossvalidate` takes, the same for all.

    Raises:
        UserError: a setting is wrong (found out before anything is trained), or ``metric`` is no figure of all of them.
        LatentiaError: a fold failed; in a search a setting that fails is left out, unless all do.
    """
    tell = say or (lambda text: None)
    given = dict(options.pop("options", None) or {})
    results: dict[str, CrossValidation] = {}
    failed: list[str] = []

    def attempt(setting: Setting) -> float:
        name, preset, chosen = setting
        if name not in results:
            found = crossvalidate(
                data, preset, runs=runs, say=say, options={**given, **chosen}, **{"final": False, **options}
            )
            if metric not in found.metrics:
                raise unknown("figure", metric, found.metrics)
            results[name] = found
        return results[name].metrics[metric].mean

    def attempt_or_leave(setting: Setting) -> float | None:
        tell(f"trial {len(tried) + 1} of {trials}: {setting[0]}")
        tried.append(setting[0])
        try:
            return attempt(setting)
        except (UserError, Interrupted, StorageError):
            raise
        except LatentiaError as error:
            tell(f"{setting[0]} is left out: {error}")
            failed.append(setting[0])
            return None

    tried: list[str] = []
    if search == "optuna":
        if trials < 2:
            raise UserError(f"trials is {trials}, but a search needs 2 or more")
        need_optuna()
        chosen_presets, axes = _space(presets, grid or {})
        for preset, chosen in corners(chosen_presets, axes):
            _check(preset, chosen)
        optuna_search(chosen_presets, axes, trials, options.get("split_seed") or 0, attempt_or_leave)
    elif search == "grid":
        settings = combinations(presets, grid or {})
        for _, preset, chosen in settings:  # a mistake in the last is told before the first is trained
            _check(preset, chosen)
        for number, setting in enumerate(settings):
            tell(f"setting {number + 1} of {len(settings)}: {setting[0]}")
            attempt(setting)
    else:
        raise unknown("search", search, ("grid", "optuna"))
    if not results:
        raise LatentiaError(f"none of the {trials} settings could be trained: choose other ranges")
    candidates = judge(results, metric)
    note = f"found by Optuna in {trials} trials, {len(results)} of them different" if search == "optuna" else ""
    if failed:
        note += f"; {len(failed)} failed and are left out: {', '.join(dict.fromkeys(failed))}"
    source = Path(next(iter(results.values())).description["data"]["source"]).stem or "images"
    folder = RunFolder.create(Path(runs), f"{source}-select", {"kind": "selection"})
    found = Selection(folder.path, metric, candidates, recommend(candidates), note)
    folder.update(status="finished", selection=found.to_json())
    return found


def open_selection(path: str | os.PathLike[str]) -> Selection:
    """Return the selection in the folder ``path``.

    Raises:
        UserError: it is none, or unfinished, or the cross-validations that it is of are not where they were.
    """
    folder = RunFolder.open(path)
    kept = folder.describe().get("selection")
    if kept is None:
        raise UserError(
            f"{path} holds no finished selection: name the folder that latentia select ended its output with"
        )
    results = {each["name"]: CrossValidation(_found(Path(each["result"]), folder.path)) for each in kept["candidates"]}
    candidates = judge(results, kept["metric"])
    return Selection(folder.path, kept["metric"], candidates, recommend(candidates), kept["note"])


def _found(result: Path, selection: Path) -> Path:
    """Return where a result is: beside its selection, where both were moved together."""
    return result if result.is_dir() else selection.parent / result.name


def _space(presets: str | Sequence[str], grid: Mapping[str, Any]) -> tuple[list[str], dict[str, Range | list[Any]]]:
    """Return the presets and what each option may be.

    Raises:
        UserError: there is nothing to choose.
    """
    texts = [presets] if isinstance(presets, str) else list(presets)
    expanded = [each for text in texts for each in expand_preset(text)]
    axes = {
        key: read_range(key, value) or values(value)
        for key, value in ((key.replace("-", "_"), value) for key, value in grid.items())
    }
    if len(expanded) < 2 and all(not isinstance(axis, Range) and len(axis) < 2 for axis in axes.values()):
        raise UserError(
            "there is one setting only, so nothing to search: give a range or several values, such as --latent-dim 2..64"
        )
    return expanded, axes


def _check(preset: str, chosen: Mapping[str, Any]) -> None:
    asked = separate(None, chosen)
    design(preset, asked.design)


def judge(results: Mapping[str, CrossValidation], metric: str) -> tuple[Candidate, ...]:
    """Return the candidates, the least mean of ``metric`` first, each compared with that."""
    order = sorted(results, key=lambda name: results[name].metrics[metric].mean)
    best = results[order[0]]
    spreads = sorted(each.metrics[metric].std for each in results.values())
    usual = spreads[(len(spreads) - 1) // 2]
    found = []
    for name in order:
        result = results[name]
        model = load_model(result.folds[0].path)
        figure = result.metrics[metric]
        found.append(
            Candidate(
                name=name,
                result=result,
                figure=figure,
                code_size=model.latent_dim,
                weights=sum(parameter.numel() for parameter in model.parameters()),
                p_value=math.nan if result is best else compare(result, best, metric).p_value,
                steady=math.isnan(figure.std) or figure.std <= STEADY * usual,
            )
        )
    return tuple(found)


def recommend(candidates: Sequence[Candidate]) -> Candidate:
    """Return the simplest steady candidate within one corrected standard error of the best (the first)."""
    best = candidates[0].figure
    limit = best.mean + (0.0 if math.isnan(best.error) else best.error)
    near = [each for each in candidates if each.figure.mean <= limit]
    steady = [each for each in near if each.steady] or near
    return min(steady, key=lambda each: (each.code_size, each.weights, each.figure.std))


def combinations(presets: str | Sequence[str], grid: Mapping[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    """Return ``(name, preset, options)`` of every combination; what is the same in all stays out of the names.

    Raises:
        UserError: too many, or one setting only.
    """
    texts = [presets] if isinstance(presets, str) else list(presets)
    expanded = [each for text in texts for each in expand_preset(text)]
    axes = {key.replace("-", "_"): values(value) for key, value in grid.items()}
    for key, value in grid.items():
        if read_range(key, value):
            raise UserError(f"{key} is the range {value!r}, which is for --search optuna: list values, such as 2,8,32")
    found = []
    for preset, *chosen in itertools.product(expanded, *axes.values()):
        options = dict(zip(axes, chosen, strict=True))
        telling = [f"{key}={value}" for key, value in options.items() if len(axes[key]) > 1]
        found.append((" ".join([preset, *telling] if len(expanded) > 1 or not telling else telling), preset, options))
    if len(found) > MOST:
        raise UserError(f"there are {len(found)} combinations of settings, but {MOST} is the most: name fewer values")
    if len({name for name, _, _ in found}) < 2:
        raise UserError(
            "there is one setting only, so nothing to select from: give several, such as --latent-dim 2,8,32"
        )
    return found


def expand_preset(text: str) -> list[str]:
    """Return the presets that ``"vae:beta=1,4"`` stands for: here ``vae:beta=1`` and ``vae:beta=4``."""
    name, colon, rest = text.partition(":")
    if not colon:
        return [part.strip() for part in text.split(",") if part.strip()]
    fields: list[tuple[str, list[str]]] = []
    for item in values(rest, keep_brackets=True):
        key, equals, value = item.partition("=")
        if equals:
            fields.append((key, [value]))
        elif fields:
            fields[-1][1].append(item)
        else:
            parse(text)  # tells how a preset is written
    return [
        f"{name}:{','.join(f'{key}={value}' for (key, _), value in zip(fields, chosen, strict=True))}"
        for chosen in itertools.product(*(several for _, several in fields))
    ]


def values(given: Any, *, keep_brackets: bool = False) -> list[Any]:
    """Return the values that an option stands for: ``"2,8"`` is two, ``"(8,16)"`` is one that holds a comma."""
    if not isinstance(given, str):
        return list(given) if isinstance(given, list | tuple) else [given]
    items, depth = [""], 0
    for character in given:
        depth += (character == "(") - (character == ")")
        if character == "," and depth == 0:
            items.append("")
        else:
            items[-1] += character
    items = [item.strip() for item in items if item.strip()]
    if keep_brackets:
        return items
    return [item[1:-1] if item.startswith("(") and item.endswith(")") else item for item in items]
