"""What a drift comes to, in words: the table, the verdict, what it means, and what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from latentia.tasks.two_sample import Share

if TYPE_CHECKING:
    from latentia.tasks.drift import Drift, Tested

# shares of pairs that a person would call so (McGraw & Wong 1992, for Cohen's 0.2, 0.5 and 0.8), as distances from 0.5
SMALL, MIDDLE, LARGE = 0.056, 0.138, 0.214
FEW = 100  # images with which only a large change is found
SHOWN = 5
ASKS = {
    "codes": "does a classifier tell them apart by their codes?",
    "reconstruction": "are new images drawn worse?",
    "density": "are their codes farther from training codes?",
    "combined": "are they odder, for images of their detail?",
    "brightness": "are they brighter?",
    "contrast": "have they more contrast?",
    "detail": "have they more detail?",
}
LOOKING = {
    "brightness": ("brighter", "darker"),
    "contrast": ("of more contrast", "of less contrast"),
    "detail": ("of more detail, or noisier", "of less detail, or blurred"),
}


def table(found: Drift) -> str:
    """Return everything in a few lines."""
    lines = [
        f"{found.images.source}, {len(found.images):,} images, against {len(found.reference):,} {found.against}",
        f"{verdict(found)}",
        "",
        f"  {'':<16}{'p':>7}{'adjusted':>10}   how far apart, 95 % interval",
    ]
    for test in found.tests:
        mark = "*" if test.adjusted <= found.level else " "
        lines.append(
            f"{mark} {test.name:<16}{p_value(test.p):>7}{p_value(test.adjusted):>10}   {share(test.apart):<24}{ASKS[test.name]}"
        )
    lines.append(
        f"  share of pairs, new image and reference image: 0.5 is not apart at all, 0 and 1 are wholly; adjusted for "
        f"{len(found.tests)} comparisons (Holm), * at most {found.level:g}"
    )
    lines += [
        "",
        *looking(found),
        moves(found),
        f"changed most: {', '.join(named(found, SHOWN))}" if found.changed else "",
    ]
    lines += ["", meaning(found), *remedy(found), *found.notes]
    if found.left_out:
        lines.append(f"{found.left_out:,} images were left out, since the model was trained on or chosen by them")
    return "\n".join(line for number, line in enumerate(lines) if line or (number and lines[number - 1]))


def verdict(found: Drift) -> str:
    """Return one sentence."""
    least = min(test.adjusted for test in found.tests)
    if not found.changed:
        return f"no change was found (adjusted p {p_value(least)}, above {found.level:g})"
    which = [test.name for test in found.tests if test.adjusted <= found.level]
    return f"changed: {_and(which)} (adjusted p {p_value(least)}); the change is {_size(found)}"


def meaning(found: Drift) -> str:
    """Return what the verdict does and does not say."""
    fewer = min(len(found.images), len(found.reference))
    if not found.changed:
        widest = max((test.apart for test in found.tests), key=lambda apart: max(apart.high, 1 - apart.low))
        text = (
            "That is no proof that nothing has changed: these images leave room for a change of up to "
            f"{max(widest.high, 1 - widest.low):.2f} of pairs."
        )
        few = f" With {fewer} images on one side only a large change is found: compare more." if fewer < FEW else ""
        return text + few
    case, test = _case(found)
    if case == "small":
        return (
            f"A p-value says that a change is real, not that it matters: with {len(found.images):,} and "
            f"{len(found.reference):,} images almost any change is found, and this one is small."
        )
    if case == "worse":
        share = f"{test.apart.value:.0%}"
        return (
            f"The new images are less normal to the model: in {share} of pairs the new one is the odder by {test.name}."
        )
    if case == "easier":
        return (
            f"The new images are easier for the model (by {test.name}): fewer kinds of them, or emptier ones. It still fits "
            "them, but figures and thresholds of the old images do not."
        )
    if case == "looks":
        return (
            "The images look different, but not to this model: its codes and scores of them are as before. What was made with it "
            "still holds as far as these go."
        )
    return (
        "The model draws the new images about as well as before; they are spread otherwise over what it knows, such as in "
        "other shares of the same kinds."
    )


def remedy(found: Drift) -> list[str]:
    """Return what to do, where there is something."""
    case = _case(found)[0] if found.changed else "small"
    if case == "small":
        return []
    if case == "looks":
        return [
            "what to do: look at the images that changed most (-o DIR); what is a fault of the camera is mended there"
        ]
    calibrate = (
        "  latentia detect … --calibrate NEW-NORMAL/  sets thresholds anew; those of the old images promise nothing now"
    )
    if case != "worse":
        return [
            "what to do: clusters, thresholds and a classifier's probabilities that the old images made may be off, so make them "
            "anew; more training is not pressing",
            calibrate,
        ]
    return [
        "what to do: look at the images that changed most (-o DIR); what is a fault of the camera is mended there. If images are "
        "like this from now on:",
        "  latentia train OLD-AND-NEW/ --from RUN     goes on from these weights, with old and new images together",
        "  estimator.partial_fit(new_images)          the same in Python, with replay of earlier images",
        calibrate,
    ]


def _case(found: Drift) -> tuple[str, Tested]:
    """Return how the images changed, ``small``, ``worse``, ``easier``, ``looks`` or ``otherwise``, and the score that tells."""
    scores = sorted((test for test in found.tests if test.name in found.scores), key=lambda test: test.apart.value)
    easiest, worst = scores[0], scores[-1]
    if _strength(found) < SMALL:
        return "small", worst
    if worst.adjusted <= found.level and worst.apart.value - 0.5 >= SMALL:
        return "worse", worst
    if easiest.adjusted <= found.level and 0.5 - easiest.apart.value >= SMALL:
        return "easier", easiest
    if all(test.name in found.looks for test in found.tests if test.adjusted <= found.level):
        return "looks", worst
    return "otherwise", worst


def looking(found: Drift) -> list[str]:
    """Return how the new images look, where that has changed, as a line or none."""
    said = []
    for test in found.tests:
        if test.name in found.looks and test.adjusted <= found.level:
            more, less = LOOKING[test.name]
            word = more if test.apart.value >= 0.5 else less
            said.append(f"{word} (in {max(test.apart.value, 1 - test.apart.value):.0%} of pairs)")
    return [f"to the eye new images are {_and(said)}"] if said else []


def moves(found: Drift) -> str:
    """Return which numbers of the code moved."""
    moved = [row for row in found.moved if row.adjusted <= found.level]
    kind = "channel" if found.spatial else "number"
    if not moved:
        return f"no single {kind} of the code moved ({len(found.moved):,} looked at)"
    shown = ", ".join(f"{kind} {row.unit} by {row.shift:+.2f}" for row in moved[:SHOWN])
    return (
        f"{len(moved):,} of {len(found.moved):,} {kind}s of the code moved; most {shown} (its mean, in standard deviations of "
        "the reference)"
    )


def named(found: Drift, count: int) -> list[str]:
    """Return the names of the images that changed most."""
    return [found.images.names[place] for place in found.order[:count]]


def p_value(p: float) -> str:
    """Return a p-value as text."""
    return "<0.001" if p < 0.001 else f"{p:.3f}" if p < 0.1 else f"{p:.2f}"


def share(apart: Share) -> str:
    """Return a share with its interval."""
    return f"{apart.value:.2f} ({apart.low:.2f} to {apart.high:.2f})"


def _strength(found: Drift) -> float:
    """Return how far apart the images are in what has changed, as a distance from 0.5.

    Scores may spread more widely without moving: half the distance of their distribution functions counts, too.
    """
    changed = [test for test in found.tests if test.adjusted <= found.level]
    gaps = [test.statistic / 2 for test in changed if test.name != "codes"]
    return max([*gaps, *(test.apart.distance for test in changed)], default=0.0)


def _size(found: Drift) -> str:
    strength = _strength(found)
    words = ((LARGE, "large"), (MIDDLE, "middling"), (SMALL, "small"))
    return next((word for least, word in words if strength >= least), "next to none")


def _and(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
