"""What baselines come to, in words: a table for each task, a verdict beneath it, and one sentence for all."""

from __future__ import annotations

from typing import TYPE_CHECKING

from latentia.tasks.trial import LEAST, Trial

if TYPE_CHECKING:
    from latentia.tasks.baselines import Baselines

SHARES = ("accuracy", "overlap")
OUTCOMES = {
    "bought": "training helps",
    "worse": "better without training",
    "as well": "no need to train",
    "not told": "no difference can be told",
    "too few": "too few images to tell",
}


def table(found: Baselines) -> str:
    """Return every task's table and verdict, and what all of it comes to."""
    lines = [
        f"{found.name}: should one train at all? {found.count:,} {found.judged} judge; everything learned from {found.learned}"
    ]
    for trial in found.trials:
        lines += ["", *_task(trial)]
    lines.append("")
    lines += [f"left out, {name}: {reason}" for name, reason in found.left_out]
    lines.append(
        "intervals: 95 %, over images (bootstrap), of this one training; fit counts all that was learned first, the model's "
        "training included"
    )
    return "\n".join([*lines, headline(found)])


def _task(trial: Trial) -> list[str]:
    direction = "higher" if trial.higher else "lower"
    width = max(len(way.name) for way in trial.ways)
    lines = [
        f"{trial.name}: {trial.figure}, {direction} is better, {trial.count:,} images",
        f"  {'':<{width}}  {'figure':>8}   {'95 % interval':<19}{'the model is':>13}   {'95 % interval':<20}{'fit':>8}"
        f"{'apply':>8}",
    ]
    for way in trial.ways:
        first = way is trial.model
        beside = "" if first else signed(trial, way.gain)
        interval = "" if first else spread(trial, way.gain_low, way.gain_high, change=True)
        lines.append(
            f"  {way.name:<{width}}  {value(trial, way.value):>8}   {spread(trial, way.low, way.high):<19}{beside:>13}   "
            f"{interval:<20}{seconds(way.fit_seconds):>8}{seconds(way.apply_seconds):>8}"
        )
    return [*lines, f"  {verdict(trial)}", *(f"  ({note})" for note in trial.notes)]


def verdict(trial: Trial) -> str:
    """Return one sentence: what training bought here, beside the best of the others."""
    rival, model = trial.rival, trial.model
    evidence = (
        f"{value(trial, model.value)} against {value(trial, rival.value)}, difference {signed(trial, rival.gain)} "
        f"(95 %: {spread(trial, rival.gain_low, rival.gain_high, change=True)})"
    )
    if trial.outcome == "too few":
        return f"{trial.count} image(s) are too few to tell the model from {rival.name}: it takes {LEAST}"
    if trial.outcome == "bought":
        return f"training bought {_bought(trial)} than {rival.name}: {evidence}"
    if trial.outcome == "as well":
        return f"no need to train for this, since {rival.name} is as good: {evidence}"
    if trial.outcome == "worse":
        return f"better without training, by {rival.name}: {evidence}"
    return f"no difference to {rival.name} can be told with these images: {evidence}"


def headline(found: Baselines) -> str:
    """Return what all of it comes to, in a sentence."""
    groups: dict[str, list[str]] = {}
    for trial in found.trials:
        groups.setdefault(trial.outcome, []).append(f"{trial.name} ({trial.figure})")
    said = [f"{words}: {', '.join(groups[key])}" for key, words in OUTCOMES.items() if key in groups]
    return f"all in all: {'; '.join(said) or 'nothing could be tried'}"


def value(trial: Trial, number: float, sign: str = "") -> str:
    """Return a figure of the task as text, ``sign`` as in a format."""
    if number != number:
        return "-"
    if trial.figure in SHARES:
        return f"{number:{sign}.1%}"
    return f"{number:{sign}{'.2f' if 'dB' in trial.figure else '.3f' if trial.higher else '.3g'}}"


def signed(trial: Trial, number: float) -> str:
    """Return a difference of figures with its sign; of shares in points."""
    points = trial.figure in SHARES and number == number
    return f"{100 * number:+.1f} pts" if points else value(trial, number, "+")


def spread(trial: Trial, low: float, high: float, *, change: bool = False) -> str:
    """Return an interval as text."""
    if low != low:
        return "-"
    if not change:
        return f"{value(trial, low)} to {value(trial, high)}"
    first, second = (signed(trial, number) for number in (low, high))
    return f"{first.removesuffix(' pts')} to {second}"


def seconds(number: float) -> str:
    """Return a time as a person reads it."""
    if number < 0.05:
        return "0 s" if number == 0 else "<0.1 s"
    return f"{number:.1f} s" if number < 100 else f"{number / 60:.1f} min"


def _bought(trial: Trial) -> str:
    rival, model = trial.rival, trial.model
    if not trial.higher:
        return f"{1 - model.value / rival.value:.0%} less {trial.figure}"
    if trial.figure in SHARES:
        return f"{100 * rival.gain:.1f} points more {trial.figure}"
    return f"{rival.gain:.2f} dB more" if "dB" in trial.figure else f"{rival.gain:.3f} more {trial.figure}"
