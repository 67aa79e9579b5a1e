"""Sections: one file each in ``sections/``. A section exists because its file exists; no list names it.

The file says where it stands (``PLACE``, from 0 at the top to 100) and for which kinds of result it is (``KINDS``), and holds
one function ``section(material)`` that returns a :class:`Section`, or ``None`` where there is nothing to show.
"""

from __future__ import annotations

import dataclasses
import importlib
import pkgutil
import traceback
from collections.abc import Callable
from typing import Any

from markupsafe import Markup

from latentia.core.errors import LatentiaError

SECTIONS = "latentia.report.page.sections"


@dataclasses.dataclass(frozen=True)
class Section:
    """One part of the page.

    Attributes:
        title: its heading.
        body: what it shows.
        lead: a sentence or two on how to read it.
        anchor: its name in the page's address; the file's name unless given.
        scripts: scripts whose text stands in the body, inert, and that the page's own script may run.
    """

    title: str
    body: Markup
    lead: str | Markup = ""
    anchor: str = ""
    scripts: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class Kind:
    """A section's file: its name, its place in the page, and what makes it."""

    name: str
    place: float
    kinds: tuple[str, ...]
    make: Callable[[Any], Section | None]


def kinds_of_section() -> list[Kind]:
    """Return all sections that there are, from the top of the page to its end."""
    package = importlib.import_module(SECTIONS)
    found = []
    for module in pkgutil.iter_modules(package.__path__):
        if not module.name.startswith("_"):
            file = importlib.import_module(f"{SECTIONS}.{module.name}")
            found.append(Kind(module.name, file.PLACE, file.KINDS, file.section))
    return sorted(found, key=lambda kind: (kind.place, kind.name))


def make_sections(material: Any, say: Callable[[str], None]) -> list[Section]:
    """Return the sections for which ``material`` has data; one that cannot be drawn is left out, and told."""
    made = []
    for kind in kinds_of_section():
        if material.kind not in kind.kinds:
            continue
        try:
            found = kind.make(material)
        except Exception as error:  # a picture that fails must not take the others, or the training before it, along
            say(f"the section {kind.name!r} of the report could not be drawn: {_told(error)}")
            continue
        if found is not None:
            made.append(dataclasses.replace(found, anchor=found.anchor or kind.name.replace("_", "-")))
    return made


def _told(error: Exception) -> str:
    if isinstance(error, LatentiaError):
        return str(error)
    last = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__}: {error} ({last.name} in {last.filename.rpartition('/')[2]}, line {last.lineno})"
