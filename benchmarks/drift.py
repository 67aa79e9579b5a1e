"""How often `latentia drift` says "changed": of sets of one kind, and of changed ones.

    python benchmarks/drift.py RUN -o benchmarks/results/drift.json        six minutes on one core that others used

RUN is an autoencoder of MNIST. New images are drawn from one half of its validation images, the reference from the other; nothing
is trained, and no test image is looked at.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter, rotate

from latentia import open_run
from latentia.core.atomic import write_json
from latentia.core.bars import tqdm
from latentia.data.imageset import ImageSet
from latentia.runs import Run
from latentia.tasks.anomaly_scores import codes_of, score
from latentia.tasks.drift import COMPARED, compare
from latentia.tasks.looks import LOOKS, looks_of

COUNTS = (20, 50, 200)
LEVEL = 0.05
Pixels = npt.NDArray[np.float64]


def shifted(pixels: Pixels) -> Pixels:
    return np.roll(pixels, 1, axis=3)


def changes(random: np.random.Generator) -> dict[str, Any]:
    """Return what is done to images in [0, 1]; a change of the mixture is made when images are drawn."""
    return {
        "nothing": lambda pixels: pixels,
        "one pixel to the right": shifted,
        "turned by 10 degrees, which blurs": lambda pixels: rotate(pixels, 10, axes=(2, 3), reshape=False, order=1),
        "contrast 0.8": lambda pixels: 0.8 * pixels,
        "blurred by 0.7 pixels": lambda pixels: gaussian_filter(pixels, (0, 0, 0.7, 0.7)),
        "noise, standard deviation 0.1": lambda pixels: pixels + random.normal(0, 0.1, pixels.shape),
        "inverted": lambda pixels: 1 - pixels,
        "a third are ones": lambda pixels: pixels,
    }


def seen_by(run: Run, images: ImageSet) -> dict[str, Any]:
    """Return codes and scores of all images."""
    normal = run.learn_normal()
    scores = {name: score(run.model, images, name, normal) for name in COMPARED}
    return {"codes": codes_of(run.model, images), **scores, **looks_of(run.model, images)}


def drawn(random: np.random.Generator, count: int, labels: npt.NDArray[np.int64], what: str) -> npt.NDArray[np.int64]:
    if what != "a third are ones":
        return random.permutation(len(labels))[:count]
    ones, others = np.flatnonzero(labels == 1), np.flatnonzero(labels != 1)
    share = round(count / 3)
    return np.concatenate([random.permutation(ones)[:share], random.permutation(others)[: count - share]])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run")
    parser.add_argument("-o", "--output")
    parser.add_argument("--repeats", type=int, default=200)
    given = parser.parse_args()
    run, random = open_run(given.run), np.random.default_rng(0)
    held = run.images(run.description["data"]["location"], "validation")
    order = random.permutation(len(held))
    half = len(held) // 2
    old, new = held.select(np.sort(order[:half])), held.select(np.sort(order[half:]))
    assert new.labels is not None
    known = seen_by(run, old)
    rows = []
    print(f"{'':<34}" + "".join(f"{count:>8} images" for count in COUNTS))
    for what, change in changes(random).items():
        unit = change(new.pixels / 255.0)
        other = seen_by(run, new.with_pixels(np.rint(np.clip(unit, 0, 1) * 255).astype(np.uint8)))
        shares = []
        for count in COUNTS:
            found = []
            for repeat in tqdm(range(given.repeats), desc=f"{what}, {count}", disable=None, leave=False):
                places = drawn(random, count, new.labels, what), random.permutation(half)[:count]
                pairs = {name: (other[name][places[0]], known[name][places[1]]) for name in known}
                scores, looks = ({name: pairs[name] for name in names} for names in (COMPARED, LOOKS))
                tests = compare(pairs["codes"], scores, looks, permutations=199, seed=repeat)
                found.append([test.adjusted <= LEVEL for test in tests])
            alarms = np.array(found)
            shares.append(float(alarms.any(1).mean()))
            by = dict(zip(("codes", *COMPARED, *LOOKS), alarms.mean(0).tolist(), strict=True))
            rows.append({"change": what, "count": count, "changed": shares[-1], "by": by, "repeats": given.repeats})
        print(f"{what:<34}" + "".join(f"{share:>14.1%} " for share in shares), flush=True)
    if given.output:
        write_json(Path(given.output), {"run": Path(given.run).name, "level": LEVEL, "rows": rows})


if __name__ == "__main__":
    main()
