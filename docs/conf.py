"""Sphinx builds the documentation from here: ``make docs``. Nothing is fetched, neither while building nor while reading."""

from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent / "src")]

import latentia  # noqa: E402

project = "Latentia"
version = release = latentia.__version__
language = "en"
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "from_code"]
exclude_patterns = ["_build"]
highlight_language = "none"  # an indented block is a command, a tree or a formula

myst_heading_anchors = 3

autodoc_typehints = "signature"
autodoc_member_order = "bysource"
autodoc_inherit_docstrings = False  # scikit-learn's own refer to its own pages
napoleon_use_ivar = True  # fields of a dataclass stand in its docstring; they are no members of their own

html_theme = "furo"
html_title = "Latentia"
html_show_sphinx = False
html_show_copyright = False
html_copy_source = False
html_css_files = ["pages.css"]
html_static_path = ["static"]
