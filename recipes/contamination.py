"""What odd images among those taken for normal do to a conformal threshold (Vovk et al. 2005; Bates et al. 2023).

Settings: digits 0 to 4 are normal, 5 to 9 are odd. A pool of normal images has a share of odd ones mixed in; a fifth of the pool
is set aside for calibration (`train --calibration`), a `cae` is trained on the rest, and `detect --false-alarms 0.05` judges test
images, half of them odd. Two cases: the calibration images are contaminated like the others, or a person has looked them
through and they are clean. Told are the false alarms among normal test images, the share of odd ones that is flagged (power),
and what `--fdr 0.1` makes of it.
What promises hold on average over calibration sets, so each seed draws pool, calibration and test images anew.

Expected: recipes/results/contamination.json. With clean calibration images the false alarms stay at the level whatever the model
has learned; with contaminated ones they fall below it, and with them the power.

    python recipes/contamination.py                        digits, 10 seeds, some minutes
    python recipes/contamination.py mnist --images 4000 --epochs 10 --seeds 0 1 2
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from rows import Rows, spread

from latentia import load, train
from latentia.data.imageset import ImageSet
from latentia.runs import Run

SHARES = [0.0, 0.01, 0.02, 0.05, 0.10]
LEVEL, RATE = 0.05, 0.1
CALIBRATION = 0.2
TEST = 0.3  # of the normal images, kept for the verdict


def draw(images: ImageSet, share: float, most: int, seed: int) -> tuple[ImageSet, ImageSet, npt.NDArray[np.int64]]:
    """Return the pool, test images, and the odd images left for tests as places; a function of the arguments."""
    random = np.random.default_rng(seed)
    labels = np.asarray(images.labels)
    normal, odd = (random.permutation(np.flatnonzero(chosen)) for chosen in (labels < 5, labels >= 5))
    normal = normal[:most]
    cut = round(len(normal) * TEST)
    test, rest = normal[:cut], normal[cut:]
    count = round(share * len(rest))
    mixed = random.permutation(np.concatenate([rest[: len(rest) - count], odd[:count]]))
    others = odd[count : count + cut]
    return images.select(mixed), images.select(np.concatenate([test, others])), others


def measure(images: ImageSet, share: float, most: int, epochs: int, seed: int) -> list[dict[str, Any]]:
    """Return a row for contaminated and one for clean calibration images, by one model."""
    pool, test, others = draw(images, share, most, seed)
    normal = np.arange(len(test)) < len(test) - len(others)
    with tempfile.TemporaryDirectory() as runs:
        run = train(
            pool,
            runs=runs,
            epochs=epochs,
            seed=seed,
            calibration=CALIBRATION,
            split_seed=seed,
            figures=False,
            quiet=True,
        )
        run.learn_normal(pool)
        apart = run.calibration_images(pool)
        looked_through = apart.select(np.flatnonzero(np.asarray(apart.labels) < 5))
        return [
            {
                "share": share,
                "calibration": name,
                "seed": seed,
                "count": len(chosen),
                **judged(run, test, chosen, normal),
            }
            for name, chosen in (("as the pool", apart), ("looked through", looked_through))
        ]


def judged(run: Run, test: ImageSet, calibration: ImageSet, normal: npt.NDArray[np.bool_]) -> dict[str, float]:
    """Return false alarms and power at the level, and the share of false discoveries and power at the rate."""
    alarms = run.detect(test, calibrate=calibration, false_alarms=LEVEL).flagged
    found = run.detect(test, calibrate=calibration, fdr=RATE).flagged
    return {
        "false_alarms": float(alarms[normal].mean()),
        "power": float(alarms[~normal].mean()),
        "false_discoveries": float(found[normal].sum() / max(found.sum(), 1)),
        "fdr_power": float(found[~normal].mean()),
    }


def main(data: str, seeds: list[int], epochs: int, images: int, output: Path | None) -> Rows:
    """Measure what is not yet measured, and print the table."""
    found = load(data, "all")
    rows = Rows(output, {"data": data, "epochs": epochs, "images": images, "level": LEVEL, "rate": RATE})
    for seed in seeds:
        for share in SHARES:
            if not rows.has(share=share, seed=seed):
                for row in measure(found, share, images, epochs, seed):
                    rows.add(**row)
    print_table(rows)
    return rows


def print_table(rows: Rows) -> None:
    """Print means and standard deviations over seeds, in percent, as the guide has them."""
    fields = ("false_alarms", "power", "false_discoveries", "fdr_power")
    print(f"| odd in the pool | calibration | {' | '.join(fields)} |\n|---|---|{'---|' * len(fields)}")
    for name in ("looked through", "as the pool"):
        for share in SHARES:
            values = [[100 * value for value in rows.values(f, share=share, calibration=name)] for f in fields]
            if values[0]:
                print(f"| {share:.0%} | {name} | " + " | ".join(spread(each, 1) for each in values) + " |")
    clean = rows.values("false_alarms", share=0.0, calibration="as the pool")
    if len(clean) > 1:
        error = statistics.stdev(clean) / len(clean) ** 0.5
        print(
            f"without odd images: {100 * statistics.mean(clean):.2f} % false alarms, standard error {100 * error:.2f}"
        )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", nargs="?", default="digits")
    parser.add_argument("--seeds", type=int, nargs="+", default=list(range(10)))
    parser.add_argument("--epochs", type=int, default=60)
    parser.add_argument("--images", type=int, default=4000, help="the most normal images")
    parser.add_argument("-o", "--output", type=Path, default=Path(__file__).parent / "results" / "contamination.json")
    main(**vars(parser.parse_args()))
