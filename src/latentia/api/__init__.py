"""A thin face over the rooms below: ``train``, ``finetune``, ``learning_curve``, ``suggest``, ``report``, ``judge``,
``baselines``, ``drift``, ``push``, ``pull``, and the studies."""

from latentia.api.comparing import compare
from latentia.api.drifting import drift
from latentia.api.finetuning import finetune
from latentia.api.judging import judge
from latentia.api.learning_curves import learning_curve, open_learning_curve
from latentia.api.reporting import report
from latentia.api.sharing import pull, push
from latentia.api.studies import crossvalidate, open_crossvalidation, select
from latentia.api.suggesting import suggest
from latentia.api.training import draw_figures, train
from latentia.api.weighing import baselines

__all__ = [
    "baselines",
    "compare",
    "crossvalidate",
    "draw_figures",
    "drift",
    "finetune",
    "judge",
    "learning_curve",
    "open_crossvalidation",
    "open_learning_curve",
    "pull",
    "push",
    "report",
    "select",
    "suggest",
    "train",
]
