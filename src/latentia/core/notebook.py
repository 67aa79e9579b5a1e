"""How things show themselves in a notebook: as what they print, escaped, and with small pictures where they hold images."""

from __future__ import annotations

import html


class Printed:
    """Base of what can be printed: a notebook shows the same, and pictures beside where there are any."""

    def _repr_html_(self) -> str:
        return preformatted(str(self)) + self._pictures_html()

    def _pictures_html(self) -> str:
        return ""


def preformatted(text: str) -> str:
    """Return text as HTML that keeps its lines; whatever stands in it is shown as it is."""
    return f'<pre style="white-space:pre;overflow-x:auto;line-height:1.4">{html.escape(text)}</pre>'
