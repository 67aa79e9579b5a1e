"""Options that several commands share, made from the specs themselves. Imports no torch."""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click

from latentia.core.errors import UserError
from latentia.core.spec import Spec

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]

DESIGN_KINDS = ("encoder", "bottleneck", "decoder", "likelihood", "prior", "corruption", "bound", "penalty")


def settings_options(settings: type[Spec], without: tuple[str, ...] = ()) -> Decorator:
    """Return a decorator that adds an option for each field of ``settings``; what is not given stays ``None``."""

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        hints = typing.get_type_hints(settings)
        for field in reversed(dataclasses.fields(settings)):
            if field.name in without:
                continue
            choices = typing.get_args(hints[field.name]) if typing.get_origin(hints[field.name]) else ()
            if hints[field.name] is bool:
                function = click.option(
                    "--" + field.name.replace("_", "-") + ("/--no-" + field.name.replace("_", "-")),
                    field.name,
                    default=None,
                    help=f"{field.metadata['help']}  [default: {'yes' if field.default else 'no'}]",
                )(function)
                continue
            metavar = "|".join(map(str, choices)) or hints[field.name].__name__.upper()
            function = click.option(
                "--" + field.name.replace("_", "-"),
                field.name,
                metavar=metavar,
                help=f"{field.metadata['help']}  [default: {field.default}]",
            )(function)
        return function

    return decorate


class DesignCommand(click.Command):
    """A command that takes parts and their fields as options: ``--corruption mask --corruption.p 0.5``.

    They are taken out of the arguments before click sees the rest, and lie in ``ctx.obj`` as a dictionary.
    """

    kinds: tuple[str, ...] = DESIGN_KINDS
    presets = True

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Separate the design's options from the others."""
        design: dict[str, str] = {}
        rest: list[str] = []
        waiting = list(args)
        while waiting:
            token = waiting.pop(0)
            key, equals, value = token.removeprefix("--").partition("=")
            if token == "--":
                rest += [token, *waiting]
                break
            if not token.startswith("--") or (key not in self.kinds and "." not in key):
                rest.append(token)
                continue
            if not equals:
                if not waiting:
                    raise click.BadOptionUsage(token, f"the option {token!r} needs a value", ctx)
                value = waiting.pop(0)
            design[key.replace("-", "_")] = value
        ctx.obj = design
        return super().parse_args(ctx, rest)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List presets and parts, read without importing them."""
        from latentia.parts import KINDS
        from latentia.presets import PRESETS

        if self.presets:
            with formatter.section("Presets"):
                formatter.write_dl([(name, preset.summary) for name, preset in PRESETS.items()])
        with formatter.section(
            "Parts and their fields (--KIND NAME, --KIND.FIELD VALUE, or --KIND NAME:FIELD=VALUE,…)"
        ):
            for kind in self.kinds:
                registry = KINDS[kind]
                described = [registry.describe(name) for name in registry.names()]
                formatter.write_dl(
                    [
                        (f"--{kind} {part.name}", ", ".join(f"{field}={default}" for field, _, default in part.fields))
                        for part in described
                    ]
                )


class AugmentedCommand(DesignCommand):
    """A command that takes an augmentation and its fields: ``--augmentation shift --augmentation.reach 0.1``."""

    kinds = ("augmentation",)
    presets = False


def data_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that say how DATA is read."""
    function = click.option("--data-dir", metavar="DIR", help="where data files already are  [default: LATENTIA_DATA]")(
        function
    )
    function = click.option("--policy", metavar="auto|resize|pad|crop", help="how images come to that size")(function)
    return click.option("--size", metavar="HxW", help="the common size for a folder of mixed sizes")(function)


def training_options(data_split: str, latent_dim: str = "INT") -> Decorator:
    """Return the options that every command has that trains: of design, settings, data and place.

    Args:
        data_split: what ``--split`` is for.
        latent_dim: how ``--latent-dim`` is written.
    """
    from latentia.training.settings import TrainSettings

    options: list[Decorator] = [
        click.option("--latent-dim", metavar=latent_dim, help="numbers in a code (channels where it is spatial)"),
        click.option("--target", metavar="all|changed", help="the pixels that count: all, or those corrupted"),
        click.option("--weight", "weights", multiple=True, metavar="TERM=FACTOR", help="the factor of a loss's term"),
        settings_options(TrainSettings),
        data_options,
        click.option("--split", metavar="train|validation|test|all", help=data_split),
        click.option("--split-seed", type=int, help="the seed of the splits  [default: 0]"),
        click.option("--runs", default="runs", show_default=True, metavar="DIR", help="where run folders are made"),
        click.option("--no-figures", is_flag=True, help="draw no pictures"),
        click.option("--quiet", is_flag=True, help="no progress on stderr"),
    ]
    return _all(options)


def fold_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that say how images are divided into folds and where these are trained."""
    options = [
        click.option("--folds", default=5, show_default=True, help="the number of folds"),
        click.option("--repeats", default=1, show_default=True, help="how often the images are divided anew"),
        click.option("--stratify", is_flag=True, help="keep the labels' shares equal over the folds"),
        click.option(
            "--keep-duplicates-together/--no-keep-duplicates-together",
            default=True,
            show_default=True,
            help="keep near-duplicates in one fold",
        ),
        click.option(
            "--jobs", default=0, show_default=True, help="processes side by side; 0: as many as the cores carry"
        ),
        click.option(
            "--threads-per-fold",
            default=0,
            show_default=True,
            help="threads of each training; 0: one, and more for the last folds where cores would stay idle",
        ),
        click.option(
            "--backend",
            default="auto",
            show_default=True,
            metavar="processes|loky|dask|ray",
            help="what runs the folds; dask and ray: the workers of a cluster that shares the --runs folder",
        ),
        click.option("--scheduler", metavar="ADDRESS", help="of the cluster, such as tcp://HOST:8786"),
        click.option(
            "--stack", is_flag=True, help="train all folds as one, their networks stacked: for small ones on a GPU"
        ),
    ]
    return _all(options)(function)


FOLD_NAMES = (
    "folds",
    "repeats",
    "stratify",
    "keep_duplicates_together",
    "jobs",
    "threads_per_fold",
    "backend",
    "scheduler",
    "stack",
)


def read_weights(weights: tuple[str, ...]) -> dict[str, str]:
    """Return ``--weight TERM=FACTOR`` as options of a design.

    Raises:
        UserError: one has no factor.
    """
    found = {}
    for text in weights:
        term, equals, factor = text.partition("=")
        if not equals:
            raise UserError(f"--weight {text!r} cannot be read: write TERM=FACTOR, such as kl=0.5")
        found[f"weight.{term}"] = factor
    return found


def prepare_processes(jobs: int, backend: str, stack: bool) -> None:
    """Make ready to run folds side by side, before anything is imported or computed that would be in their way."""
    if jobs != 1 and backend in ("auto", "processes") and not stack:
        from latentia.studies.processes import prepare

        prepare()


def _all(options: Sequence[Decorator]) -> Decorator:
    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        for option in reversed(options):
            function = option(function)
        return function

    return decorate


def split_option(default: str = "all") -> Decorator:
    """Return the ``--split`` option."""
    return click.option(
        "--split",
        default=default,
        show_default=True,
        metavar="train|validation|test|all",
        help="the part of DATA that is meant",
    )


def read_data(
    data: str, split: str, data_dir: str | None, size: str | None, policy: str | None, quiet: bool = False
) -> Any:
    """Return the images that a command names, and print the notes a person should see to stderr."""
    from latentia.data.load import load

    images = load(data, split, data_dir=data_dir, size=parse_size(size), policy=policy or "auto", quiet=quiet)
    if not quiet:
        for note in images.notes:
            click.echo(note, err=True)
    return images


def parse_size(text: str | None) -> tuple[int, int] | None:
    """Return ``(height, width)`` for ``64`` or ``64x48``.

    Raises:
        UserError: it is neither.
    """
    if text is None:
        return None
    sides = text.lower().split("x")
    try:
        numbers = [int(side) for side in sides]
    except ValueError:
        numbers = []
    if len(numbers) not in (1, 2) or min(numbers, default=0) < 1:
        raise UserError(f"the size {text!r} cannot be read: write one number, or HEIGHTxWIDTH, such as 64x48")
    return numbers[0], numbers[-1]


def parse_counts(text: str) -> list[int]:
    """Return the numbers of ``10,30,100``.

    Raises:
        UserError: one is no whole number above 0.
    """
    found = []
    for item in text.split(","):
        try:
            found.append(int(item))
        except ValueError:
            found.append(0)
        if found[-1] < 1:
            raise UserError(
                f"{item.strip()!r} in {text!r} is no number of labels: write whole numbers, such as 10,30,100"
            )
    return found


def output_folder(path: str, option: str = "-o") -> Path:
    """Return the folder that results go to, made if it is not there.

    Raises:
        UserError: there is a file in its place.
    """
    from latentia.core.atomic import storage_errors

    folder = Path(path)
    if folder.exists() and not folder.is_dir():
        raise UserError(f"{path} is a file, but the results need a folder: choose another {option}")
    with storage_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    return folder


def is_picture(path: str) -> bool:
    """Return whether ``path`` names one PNG file; a name without a suffix, or a folder that exists, is a folder.

    Raises:
        UserError: it names a file of another kind.
    """
    target = Path(path)
    if target.is_dir() or not target.suffix:
        return False
    if target.suffix.lower() != ".png":
        raise UserError(f"the output {path!r} is neither a folder nor a .png file: choose another -o")
    return True


def picture_path(path: str) -> Path:
    """Return ``path`` as that of a PNG file.

    Raises:
        UserError: it names something else.
    """
    if not is_picture(path):
        raise UserError(f"the output {path!r} is no .png file, but one picture is drawn: choose another -o")
    return Path(path)
