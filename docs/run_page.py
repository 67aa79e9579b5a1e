"""Runs the code of a page, and puts what it printed, and the pictures it saved, back into the page: so that they are real.

    python docs/run_page.py docs/tutorial.md docs/guides/photographs.md --kept runs/pages

Python blocks run one after another in one namespace; lines of ``console`` blocks that begin with ``$`` run in a shell, both in
one new folder. A ``text`` block right behind a Python block is what that printed; in a ``console`` block the lines behind a
command are. ``![…](pictures/PAGE/NAME.png)`` becomes the one file NAME.png that was made. Progress and warnings stay on the
terminal.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from PIL import Image

BLOCK = re.compile(r"```python\n(?P<code>.*?)```(?P<output>\n\n```text\n.*?```)?|```console\n(?P<lines>.*?)```", re.S)
PICTURE = re.compile(r"!\[[^\]]*\]\((?P<path>[^)]*pictures/[^)]+\.png)\)")
ROOT = Path(__file__).resolve().parent.parent
WIDEST, COLOURS = 1000, 256


def main(pages: list[str], kept: str | None = None) -> None:
    """Run pages and write them anew; trainings of whole data sets are kept in a folder, and taken from there the next time."""
    if kept is not None:
        remember(Path(kept).resolve())
    for each in pages:
        page = Path(each).resolve()
        with tempfile.TemporaryDirectory(prefix="latentia-page-") as folder, contextlib.chdir(folder):
            Path("recipes").symlink_to(ROOT / "recipes")  # pages are read, and their commands typed, in the root
            text = fill(page.read_text(encoding="utf-8"), {"__name__": "__page__"})
            page.write_text(text, encoding="utf-8")
            own = f"pictures/{page.stem}/"
            pictures = {found["path"] for found in PICTURE.finditer(text) if own in found["path"]}
            for path in sorted(pictures):
                keep(Path(folder), (page.parent / path).resolve())


def remember(kept: Path) -> None:
    """Let ``latentia.train`` take a run from ``kept`` where the same was asked for before."""
    import latentia

    train = latentia.train

    def remembered(data: Any, preset: str = "cae", **options: Any) -> Any:
        if not isinstance(data, str):
            return train(data, preset, **options)
        asked = {key: value for key, value in sorted(options.items()) if key not in ("quiet", "figures")}
        place = kept / " ".join([data, preset, *(f"{key}={value}" for key, value in asked.items())])
        found = sorted(place.glob("*/run.json"))
        path = found[0].parent if found else train(data, preset, runs=place, **options).path
        return latentia.open_run(shutil.copytree(path, Path("runs") / path.name))

    latentia.train = remembered


def fill(text: str, names: dict[str, Any]) -> str:
    """Return the page with what its blocks have printed, run in the folder we are in."""

    def run(found: re.Match[str]) -> str:
        if found["lines"] is not None:
            return f"```console\n{console(found['lines'])}```"
        printed = python(found["code"], names)
        block = f"```python\n{found['code']}```"
        return f"{block}\n\n```text\n{printed}```" if found["output"] else block

    return BLOCK.sub(run, text)


def python(code: str, names: dict[str, Any]) -> str:
    """Run Python and return what it printed."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(code, "<page>", "exec"), names)
    return printed.getvalue()


def console(lines: str) -> str:
    """Run the commands of a console block and return it with what they printed."""
    found = []
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    for line in lines.splitlines():
        if line.startswith("$ "):
            done = subprocess.run(
                line[2:].partition("  #")[0], shell=True, check=True, env=environment, stdout=subprocess.PIPE, text=True
            )
            found += [line, *done.stdout.splitlines()]
    return "".join(f"{line}\n" for line in found)


def keep(folder: Path, target: Path) -> None:
    """Keep a picture that was made in ``folder``, small enough for a repository."""
    made = [folder / target.name] if (folder / target.name).exists() else sorted(folder.rglob(target.name))
    if len(made) != 1:
        raise SystemExit(f"{target.name} was made {len(made)} times, but the page shows one")
    target.parent.mkdir(parents=True, exist_ok=True)
    small(Image.open(made[0])).save(target, optimize=True)
    if made[0].stat().st_size < target.stat().st_size:  # few colours are packed well as they are
        shutil.copy(made[0], target)


def small(image: Image.Image) -> Image.Image:
    """Return a picture at most 1,000 pixels wide, with at most 256 colours."""
    image = image.convert("RGB")
    if image.width > WIDEST:
        image = image.resize((WIDEST, round(image.height * WIDEST / image.width)), Image.Resampling.LANCZOS)
    return image.quantize(COLOURS, dither=Image.Dither.NONE)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("pages", nargs="+")
    parser.add_argument(
        "--kept", metavar="DIR", help="where trainings of whole data sets are kept, to be taken up the next time"
    )
    arguments = parser.parse_args()
    main(arguments.pages, arguments.kept)
