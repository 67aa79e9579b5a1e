"""Pages that are made from the code and from the files beside it: a comment such as ``<!-- commands -->`` says where."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
PLACE = re.compile(r"<!-- (commands|parts|presets|file: ([A-Z]+\.md)) -->")
WIDTH = 100
KEPT = {"CHANGELOG.md": "changes.md", "CONTRIBUTING.md": "contributing.md", "README.md": "index.md"}


def setup(app: Any) -> dict[str, Any]:
    """Let Sphinx hand over each page's source before it is read."""
    app.connect("source-read", fill)
    return {"parallel_read_safe": True}


def fill(app: Any, _page: str, source: list[str]) -> None:
    """Put what belongs there in the place of each comment."""
    makers: dict[str, Callable[[], str]] = {"commands": commands, "parts": parts, "presets": presets}

    def made(found: re.Match[str]) -> str:
        if found[2] is None:
            app.env.note_reread()  # a command or a part may be new while its page is not
            return makers[found[1]]()
        app.env.note_dependency(str(ROOT / found[2]))
        return page_of(found[2])

    source[0] = PLACE.sub(made, source[0])


def page_of(name: str) -> str:
    """Return a file of the repository's root as a page in this folder: its links are followed from here."""
    text = (ROOT / name).read_text(encoding="utf-8")
    return re.sub(r"\]\(([^)#:]+)(#[^)]*)?\)", lambda link: f"]({_from_here(link[1])}{link[2] or ''})", text)


def _from_here(target: str) -> str:
    if target in KEPT:
        return KEPT[target]
    if (ROOT / target).is_dir():
        return "index.md"
    return target.removeprefix("docs/") if target.startswith("docs/") else f"../{target}"


def commands() -> str:
    """Return the help of every command, as it is printed."""
    import click

    from latentia.cli.main import cli

    context = click.Context(cli, info_name="latentia", terminal_width=WIDTH, max_content_width=WIDTH)
    found = [_printed("latentia", cli.get_help(context))]
    for name in cli.list_commands(context):
        command = cli.get_command(context, name)
        if command is not None:
            inner = click.Context(
                command, parent=context, info_name=name, terminal_width=WIDTH, max_content_width=WIDTH
            )
            found.append(_printed(f"latentia {name}", command.get_help(inner)))
    return "\n".join(found)


def _printed(title: str, text: str) -> str:
    return f"## {title}\n\n```text\n{text}\n```\n"


def parts() -> str:
    """Return every part: its source, its fields, and what its class says."""
    from latentia.parts import KINDS

    found = []
    for kind, registry in KINDS.items():
        found.append(f"## {kind}\n")
        for name in registry.names():
            part = registry.get(name)
            directive = f".. autoclass:: {part.__module__}.{part.__name__}\n   :show-inheritance:"
            found.append(
                f"### {kind} `{name}`\n\n{registry.describe(name).summary}\n\n```{{eval-rst}}\n{directive}\n```\n"
            )
    return "\n".join(found)


def presets() -> str:
    """Return the table of presets."""
    from latentia.presets import PRESETS

    rows = [f"| `{name}` | {preset.summary} |" for name, preset in PRESETS.items()]
    return "\n".join(["| preset | what it is |", "|---|---|", *rows, ""])
