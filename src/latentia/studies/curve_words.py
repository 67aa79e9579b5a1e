"""What a learning curve prints: its table, and in words what pre-training bought and where it bought nothing."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from latentia.studies.curve_result import Gain, LearningCurve


def curve_text(curve: LearningCurve) -> str:
    """Return table, verdicts, and what the intervals cover."""
    judged = curve.description["judged"]
    lines = [
        f"learning curve on {curve.description['data']['source']}: {curve.draws} class-balanced "
        f"draw{'s' * (curve.draws != 1)} of labels, judged on {judged['text']}"
    ]
    if curve.done < curve.wanted:
        lines.append(f"unfinished: {curve.done} of {curve.wanted} trainings are there; the same command goes on")
    return "\n".join([*lines, *table(curve), *verdicts(curve)])


def table(curve: LearningCurve) -> list[str]:
    """Return a line for each number of labels and way."""
    width = max(map(len, curve.methods.values()))
    lines = [f"{'labels':>8}  {'':<{width}}  {'error':>8}{'std':>8}{'worst':>8}   {'95 % interval':<18}{'seconds':>8}"]
    for count in curve.counts:
        for place, (row, name) in enumerate(curve.methods.items()):
            found = curve.error(row, count)
            first = f"{count:,}" if place == 0 else ""
            if found is None:
                lines.append(f"{first:>8}  {name:<{width}}  {'-':>8}")
                continue
            interval = "" if math.isnan(found.low) else f"{found.low:.2%} to {found.high:.2%}"
            std = "" if math.isnan(found.std) else f"{found.std:.2%}"
            lines.append(
                f"{first:>8}  {name:<{width}}  {found.mean:>8.2%}{std:>8}{found.worst:>8.2%}   {interval:<18}"
                f"{curve.seconds(row, count):>8.1f}"
            )
    return lines


def verdicts(curve: LearningCurve) -> list[str]:
    """Return what pre-training bought, and how far that can be trusted."""
    gains = curve.gains
    if not gains:
        return []
    lines = ["", summary(curve), *(f"  {sentence(curve, each)}" for each in gains)]
    if curve.draws > 1:
        lines.append(
            "Intervals cover the draw of labels and the images judged by, not another pre-training; gains are told at 5 %, "
            "adjusted for being several (Holm)."
        )
    return lines


def summary(curve: LearningCurve) -> str:
    """Return in one sentence where pre-training paid and where it did not."""
    gains = curve.gains
    if all(each.verdict == "untold" for each in gains):
        return (
            "One draw of labels gives no interval, so what pre-training bought cannot be told: give --draws 2 or more."
        )
    says = {
        "bought": "pre-training paid with {}",
        "nothing": "bought nothing that can be told with {}",
        "cost": "made it worse with {}",
    }
    parts = []
    for kind, words in says.items():
        counts = [f"{each.count:,}" for each in gains if each.verdict == kind]
        if counts:
            parts.append(words.format(f"{_listed(counts)} labels"))
    text = "; ".join(parts)
    text = text if text.startswith("pre-training") else f"pre-training {text}"
    return f"{text[0].upper()}{text[1:]}."


def sentence(curve: LearningCurve, gain: Gain) -> str:
    """Return what pre-training bought with one number of labels."""
    found = gain.difference
    change = f"error {gain.scratch:.2%} from scratch, {gain.pretrained:.2%} pre-trained"
    points = f"{100 * abs(found.mean):.2f} points"
    interval = (
        ""
        if math.isnan(found.low)
        else f", 95 % interval of the gain {100 * found.low:+.2f} to {100 * found.high:+.2f}"
    )
    words = {
        "bought": f"pre-training bought {points}",
        "cost": f"pre-training cost {points}",
        "nothing": "pre-training bought nothing that can be told",
        "untold": f"a difference of {100 * found.mean:+.2f} points in one draw",
    }[gain.verdict]
    text = f"{gain.count:,} labels: {words} ({change}{interval})"
    if gain.verdict == "bought":
        needed = curve.labels_from_scratch(gain.pretrained)
        if needed == math.inf:
            text += f"; from scratch, {max(curve.counts):,} labels do not reach that"
        elif needed is not None:
            text += f"; from scratch that takes about {needed:,.0f} labels"
    best = curve.best_without_finetuning(gain.count)
    if best is not None:
        row, error = best
        apart = 100 * (error - gain.pretrained)
        text += f"; the best of scikit-learn, {curve.methods[row]}, errs at {error:.2%} ({apart:+.2f})"
    return text


def _listed(texts: list[str]) -> str:
    return texts[0] if len(texts) == 1 else f"{', '.join(texts[:-1])} and {texts[-1]}"
