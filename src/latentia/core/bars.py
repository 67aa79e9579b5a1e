"""Progress bars that suit where they are: a terminal, a log, or a notebook, with its widgets or without."""

from __future__ import annotations

import warnings

from tqdm import TqdmWarning

with warnings.catch_warnings():
    # in a notebook without ipywidgets tqdm falls back to a bar of text, which is fine, and warns about it, which is not
    warnings.simplefilter("ignore", TqdmWarning)
    from tqdm.auto import tqdm

__all__ = ["tqdm"]
