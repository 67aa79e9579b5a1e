"""A thin face over the rooms below: ``train``, ``finetune``, ``crossvalidate``, ``select``, ``compare``."""

from latentia.api.finetuning import finetune
from latentia.api.studies import compare, crossvalidate, open_crossvalidation, select
from latentia.api.training import draw_figures, train

__all__ = ["compare", "crossvalidate", "draw_figures", "finetune", "open_crossvalidation", "select", "train"]
