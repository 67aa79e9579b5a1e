"""From a material to one HTML file: styles, pictures and scripts are all in it, and a policy forbids to ask for more."""

from __future__ import annotations

import base64
import hashlib
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

import jinja2
from markupsafe import Markup

import latentia
from latentia.core.atomic import write_bytes
from latentia.core.errors import UserError
from latentia.report.page.section import make_sections

HERE = Path(__file__).parent
FILE = "report.html"
WHAT = {
    "autoencoder": "an autoencoder",
    "classifier": "a classifier",
    "crossvalidation": "a cross-validation",
    "selection": "settings compared",
    "comparison": "runs compared",
    "fold-comparison": "cross-validations compared",
}


class Material(Protocol):
    """What a page is made of: the rest is between a section and the kinds it names."""

    @property
    def kind(self) -> str:
        """Which sections are for it."""

    @property
    def heading(self) -> str:
        """What the page is called."""

    @property
    def description(self) -> dict[str, Any]:
        """What ``run.json`` says."""

    @property
    def path(self) -> Path | None:
        """The folder it is about, where there is one."""


def build_page(material: Material, say: Callable[[str], None] = lambda text: None) -> str:
    """Return the page; ``say`` is told of sections that could not be drawn.

    Raises:
        UserError: there is nothing to show yet.
    """
    sections = make_sections(material, say)
    if not sections:
        raise UserError(f"{material.path} holds nothing yet that a report could show: train it first")
    own = (HERE / "page.js").read_text(encoding="utf-8")
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE), autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True
    )
    return environment.get_template("page.html").render(
        heading=material.heading,
        what=WHAT.get(material.kind, material.kind),
        path=str(material.path) if material.path is not None else "",
        kind=material.kind,
        begun=str(material.description.get("created", ""))[:16].replace("T", " "),
        made=time.strftime("%Y-%m-%d %H:%M"),
        version=latentia.__version__,
        sections=sections,
        style=Markup((HERE / "page.css").read_text(encoding="utf-8")),
        script=Markup(own),
        policy=_policy([own, *(script for section in sections for script in section.scripts)]),
    )


def _policy(scripts: Sequence[str]) -> str:
    """Return the policy that lets these scripts run and no other, and lets nothing be asked for."""
    hashes = (base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in scripts)
    allowed = " ".join(f"'sha256-{each}'" for each in hashes)
    return (
        f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src {allowed}; "
        "base-uri 'none'; form-action 'none'"
    )


def write_page(material: Material, path: Path, say: Callable[[str], None] = lambda text: None) -> Path:
    """Write the page to ``path``, atomically, and return it.

    Raises:
        UserError: there is nothing to show yet. StorageError: it cannot be written.
    """
    write_bytes(path, build_page(material, say).encode())
    return path
