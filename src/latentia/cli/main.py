"""The ``latentia`` command: finds its sub-commands by their files, and turns errors into one sentence and an exit code."""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import pkgutil
import signal
import sys
import time
import warnings
from pathlib import Path

import click

import latentia
from latentia.core.errors import Elsewhere, LatentiaError, Lost, UserError, nearest
from latentia.core.launch import launch

COMMANDS = "latentia.cli.commands"
WHOLE = 500  # letters that a command's first sentence may have
# in the order of the work; a command that is named nowhere stands under "More"
SECTIONS = {
    "From images to a model": ("show", "train", "report", "evaluate", "doctor", "baselines"),
    "What a model is for": ("embed", "map", "cluster", "detect", "drift", "denoise", "reconstruct"),
    "New images": ("generate", "interpolate", "traverse", "judge"),
    "With a handful of labels": ("suggest", "label", "finetune", "predict", "learning-curve", "explore"),
    "Choose and compare": ("crossval", "select", "compare", "parts"),
    "Share and scale": ("export", "push", "pull", "pack"),
}


class Commands(click.Group):
    """The sub-commands; one is imported when it is called, or when help wants its first line."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of all commands."""
        package = importlib.import_module(COMMANDS)
        modules = [module.name for module in pkgutil.iter_modules(package.__path__) if module.name[0] != "_"]
        return sorted(name.replace("_", "-") for name in modules)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return the command called ``cmd_name``."""
        if cmd_name not in self.list_commands(ctx):
            return None
        command = importlib.import_module(f"{COMMANDS}.{cmd_name.replace('-', '_')}").command
        assert isinstance(command, click.Command)  # a developer's mistake: each file holds one
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the whole first sentence of every command, on as many lines as it takes, in the order of the work."""
        every = self.list_commands(ctx)
        known, width = {name for names in SECTIONS.values() for name in names}, max(map(len, every))
        for title, names in {**SECTIONS, "More": tuple(name for name in every if name not in known)}.items():
            found = {name: self.get_command(ctx, name) for name in names}
            if found:
                with formatter.section(title):
                    rows = [(name.ljust(width), own.get_short_help_str(WHOLE)) for name, own in found.items() if own]
                    formatter.write_dl(rows)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command, or fail with the nearest name."""
        if args and not args[0].startswith("-") and args[0] not in self.list_commands(ctx):
            raise click.UsageError(f"there is no command {args[0]!r}{nearest(args[0], self.list_commands(ctx))}")
        name, command, rest = super().resolve_command(ctx, args)
        if launch().size > 1 and not getattr(command, "many_processes", False):
            raise UserError(
                f"latentia {name} runs as one process, not as {launch().size}: start it without torchrun "
                "(train and finetune share their work among several)"
            )
        return name, command, rest


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(latentia.__version__, package_name="latentia", prog_name="latentia")
def cli() -> None:
    """Latentia: learning from images without labels.

    DATA is a name (digits, mnist, fashion-mnist, kmnist, emnist, cifar10), a folder of images, an .npy or .npz file, or
    wds:FOLDER, the shards in it, or hf:OWNER/NAME, a data set of Hugging Face that streams.
    RUN is a run folder, such as runs/0001-mnist-cae: begin with latentia train DATA. Each command tells more of itself by --help.
    Your data and your weights are yours: nothing leaves this machine unless you push it.
    """


def main() -> None:
    """Run the command line and exit: 0 is success, 2 the user's input, 1 a failure, 130 and 143 an interruption."""
    # Before torch is imported: threads that wait without end for one another crawl as soon as another program wants a
    # core (measured: 1,000 images a second instead of 1,800, and no loss on a quiet machine).
    os.environ.setdefault("GOMP_SPINCOUNT", "10000")
    warnings.filterwarnings("ignore", category=UserWarning, module="torch")
    try:
        code = cli.main(standalone_mode=False)
        _part()
    except click.exceptions.Abort:
        code = _report("interrupted", 130)
    except click.UsageError as error:
        context = f" (see {error.ctx.command_path} --help)" if error.ctx else ""
        code = _report(f"{error.format_message().rstrip('.')}{context}", 2)
    except click.ClickException as error:
        code = _report(error.format_message(), error.exit_code)
    except Elsewhere as error:
        code = error.exit_code  # its process has told
    except LatentiaError as error:
        code = _report(str(error), error.exit_code, is_consequence=isinstance(error, Lost))
    except KeyboardInterrupt:
        code = _report("interrupted", 130)
    except BrokenPipeError:
        sys.stderr.close()
        code = 1
    except MemoryError:
        code = _report("there is not enough memory for this: try a smaller --batch-size or --size", 1)
    sys.exit(code if isinstance(code, int) else 0)


def _report(message: str, code: int, *, is_consequence: bool = False) -> int:
    """Print ``message`` and return ``code``; of several processes with one message only the first prints it."""
    if launch().size == 1 or _speaks(message, is_consequence):
        print(f"latentia: {message}", file=sys.stderr, flush=True)
    return code


def _speaks(message: str, is_consequence: bool) -> bool:
    from latentia.core.ranks import joined

    ranks = joined()
    # the launcher ends all others as soon as one has ended; what is to be said is said before
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if path := os.environ.get("TORCHELASTIC_ERROR_FILE"):  # what the launcher shows at the end
        entry = {"message": message, "extraInfo": {"timestamp": str(int(time.time())), "py_callstack": message}}
        with contextlib.suppress(OSError):
            Path(path).write_text(json.dumps({"message": entry}), encoding="utf-8")
    if ranks is None:
        return launch().leads
    if is_consequence and ranks.has_said():
        return False
    return ranks.may_say(message)


def _part() -> None:
    if launch().size > 1:
        from latentia.core.ranks import leave

        leave()
