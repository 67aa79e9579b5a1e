"""A thin face over the rooms below: ``train``, ``finetune``, ``learning_curve``, ``suggest``, and the other studies."""

from latentia.api.finetuning import finetune
from latentia.api.learning_curves import learning_curve, open_learning_curve
from latentia.api.studies import compare, crossvalidate, open_crossvalidation, select
from latentia.api.suggesting import suggest
from latentia.api.training import draw_figures, train

__all__ = [
    "compare",
    "crossvalidate",
    "draw_figures",
    "finetune",
    "learning_curve",
    "open_crossvalidation",
    "open_learning_curve",
    "select",
    "suggest",
    "train",
]
