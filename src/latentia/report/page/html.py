"""Pieces of HTML. Whatever is not :class:`Markup` already is text, and is escaped: names and labels come from anywhere."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from markupsafe import Markup

from latentia.report.style import shorten

Text = str | Markup
LONGEST_CAPTION = 26


def joined(parts: Iterable[Text], between: str = "") -> Markup:
    """Return the parts one after another, texts escaped."""
    return Markup(between).join(parts)


def paragraph(text: Text, kind: str = "") -> Markup:
    """Return a paragraph."""
    return Markup('<p class="{}">{}</p>').format(kind, text) if kind else Markup("<p>{}</p>").format(text)


def listed(items: Iterable[Text]) -> Markup:
    """Return a list of points."""
    return Markup("<ul>{}</ul>").format(joined(Markup("<li>{}</li>").format(item) for item in items))


def facts(pairs: Iterable[tuple[str, Text]]) -> Markup:
    """Return names with what they stand for."""
    rows = joined(Markup("<div><dt>{}</dt><dd>{}</dd></div>").format(name, value) for name, value in pairs)
    return Markup('<dl class="facts">{}</dl>').format(rows)


def tile(value: Text, name: Text, note: Text = "") -> Markup:
    """Return one number, large, with what it is."""
    small = Markup('<span class="note">{}</span>').format(note) if note else ""
    return Markup('<div class="tile"><dt>{}{}</dt><dd>{}</dd></div>').format(name, small, value)


def table(head: Sequence[Text], rows: Iterable[Sequence[Text]], caption: Text = "", kind: str = "") -> Markup:
    """Return a table whose first column names the rows; it scrolls by itself where it is wider than the page.

    Cells of all columns but the first are set as numbers.
    """
    columns = joined(Markup('<th scope="col">{}</th>').format(name) for name in head)
    body = joined(
        Markup('<tr><th scope="row">{}</th>{}</tr>').format(
            row[0], joined(Markup("<td>{}</td>").format(cell) for cell in row[1:])
        )
        for row in rows
    )
    named = Markup("<caption>{}</caption>").format(caption) if caption else ""
    return Markup(
        '<div class="scroll" tabindex="0" role="group" aria-label="{}"><table class="{}">{}<thead><tr>{}</tr></thead>'
        "<tbody>{}</tbody></table></div>"
    ).format(caption or "table", kind, named, columns, body)


def code(text: str, name: str = "commands") -> Markup:
    """Return text as it is typed."""
    return Markup('<pre tabindex="0" role="group" aria-label="{}"><code>{}</code></pre>').format(name, text)


def details(summary: Text, body: Text, *, open: bool = False) -> Markup:
    """Return what opens on demand; on paper it is open."""
    return Markup("<details{}><summary>{}</summary>{}</details>").format(Markup(" open") if open else "", summary, body)


def gallery(cells: Iterable[tuple[Sequence[Markup], str]], *, kind: str = "") -> Markup:
    """Return pictures in a grid that fits itself to the page: each cell holds pictures one above another, and a caption.

    Args:
        cells: pictures and caption of each; a caption too long to stand there is shortened, and whole when pointed at.
        kind: a class for the style sheet, such as ``small``.
    """
    shown = joined(
        Markup("<figure>{}{}</figure>").format(joined(pictures), _caption(caption)) for pictures, caption in cells
    )
    return Markup('<div class="gallery {}">{}</div>').format(kind, shown)


def _caption(text: str) -> Markup:
    if not text:
        return Markup("")
    lines = text.split("\n")
    short = Markup("<br>").join(shorten(line, LONGEST_CAPTION) for line in lines)
    whole = Markup(' title="{}"').format(text) if any(len(line) > LONGEST_CAPTION for line in lines) else ""
    return Markup("<figcaption{}>{}</figcaption>").format(whole, short)


def number(value: Any, digits: int = 4) -> str:
    """Return a number as a person reads it, and a dash where there is none."""
    if value is None or value != value:
        return "–"
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:.{digits}g}" if 1e-4 <= abs(value) < 1e5 or value == 0 else f"{value:.{digits - 1}e}"


def text_of(value: Any) -> str:
    """Return a setting as text."""
    if isinstance(value, list | tuple):
        return ", ".join(map(text_of, value)) or "none"
    if value is None or isinstance(value, bool):
        return {True: "yes", False: "no", None: "none"}[value]
    return f"{value:g}" if isinstance(value, float) else str(value)
