"""A flat folder of colour photographs to try things on: tiles of the sample pictures that scikit-learn and scikit-image ship.

    python recipes/photo_tiles.py photos/                    600 tiles of five pictures, and photos-new/ beside it
    python recipes/photo_tiles.py --label labels.csv         fills in a list that `latentia suggest` wrote, by the names
    python recipes/photo_tiles.py --check answers.csv        holds the answers of `latentia predict` against the names

``photos-new/`` holds 60 further tiles of the same pictures and twelve that do not belong there: six have a scratch, six are of
a picture that ``photos/`` knows nothing of. Names say which is which (``coffee-0012.png``, ``scratched-03.png``). Windows are
cut at random and may overlap, so this is a toy: no figure on it says much about other photographs.
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

PICTURES = ("china", "flower", "coffee", "cat", "immunohistochemistry")
FOREIGN = "hubble_deep_field"
SIDE, WINDOW = 48, 112  # pixels of a tile, and of what it shows
TILES, NEW, ODD = 600, 60, 6


def main(folder: Path, tiles: int = TILES, seed: int = 0) -> None:
    """Write the tiles; the same seed gives the same files."""
    random = np.random.default_rng(seed)
    new = folder.parent / f"{folder.name}-new"
    for place in (folder, new):
        place.mkdir(parents=True, exist_ok=True)
    pictures = {name: picture(name) for name in PICTURES}
    for number in range(tiles):
        name = PICTURES[number % len(PICTURES)]
        tile(pictures[name], random).save(folder / f"{name}-{number:04d}.png")
    for number in range(NEW):
        name = PICTURES[number % len(PICTURES)]
        tile(pictures[name], random).save(new / f"{name}-new-{number:02d}.png")
    stars = picture(FOREIGN)
    for number in range(ODD):
        scratched(tile(pictures[PICTURES[number % len(PICTURES)]], random), random).save(
            new / f"scratched-{number:02d}.png"
        )
        tile(stars, random).save(new / f"stars-{number:02d}.png")
    print(f"{tiles} tiles of {SIDE} x {SIDE} pixels in {folder}, {NEW + 2 * ODD} in {new}")


def picture(name: str) -> Image.Image:
    """Return one of the sample pictures, in colour."""
    if name in ("china", "flower"):
        from sklearn.datasets import load_sample_image

        return Image.fromarray(load_sample_image(f"{name}.jpg"))
    from skimage import data

    pixels: npt.NDArray[np.uint8] = getattr(data, name)()
    return Image.fromarray(pixels).convert("RGB")


def tile(image: Image.Image, random: np.random.Generator) -> Image.Image:
    """Return a random window of a picture, scaled to a tile."""
    left, top = (int(random.integers(0, side - WINDOW)) for side in image.size)
    window = image.crop((left, top, left + WINDOW, top + WINDOW))
    return window.resize((SIDE, SIDE), Image.Resampling.LANCZOS)


def scratched(image: Image.Image, random: np.random.Generator) -> Image.Image:
    """Return a tile with a light line across it."""
    first, second = (int(each) for each in random.integers(4, SIDE - 4, 2))
    ImageDraw.Draw(image).line([(0, first), (SIDE, second)], fill=(250, 250, 245), width=2)
    return image


def label(path: Path) -> None:
    """Fill in the column ``label`` of a list by the names: what you would do by looking."""
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        row["label"] = row["label"] or truth(row["name"])
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    print(f"{len(rows)} labels in {path}")


def check(path: Path) -> None:
    """Say how many answers agree with the names."""
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    known = [row for row in rows if truth(row["name"]) in PICTURES]
    right = sum(row["label"] == truth(row["name"]) for row in known)
    unsure = sum(row["label"] == "unsure" for row in known)
    print(f"{right} of {len(known)} tiles have the right name, {unsure} are unsure")
    others = [row for row in rows if truth(row["name"]) not in PICTURES]
    if others:
        left = sum(row["label"] == "unsure" for row in others)
        print(f"of {len(others)} that are scratched or of another picture {left} are unsure")


def truth(name: str) -> str:
    """Return what a tile is of, by its name."""
    return Path(name).name.partition("-")[0]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, nargs="?", default=Path("photos"), help="where the tiles go")
    parser.add_argument("--tiles", type=int, default=TILES)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--label", type=Path, metavar="CSV", help="fill in this list instead")
    parser.add_argument("--check", type=Path, metavar="CSV", help="check these answers instead")
    arguments = parser.parse_args()
    if arguments.check is not None:
        check(arguments.check)
    elif arguments.label is not None:
        label(arguments.label)
    else:
        main(arguments.folder, arguments.tiles, arguments.seed)
