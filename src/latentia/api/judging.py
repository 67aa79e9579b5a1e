"""``judge``: what a run's new images are worth, by the features of a classifier."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from latentia.api.studies import dressed
from latentia.core.errors import UserError
from latentia.runs import Run, open_run
from latentia.tasks import judge as task
from latentia.tasks.judge import Judgement

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class DrawnJudgement(Judgement):
    """What new images are worth, which draws itself."""

    def figure(self) -> Figure:
        """Return new images above the training images that are nearest to them, as a matplotlib figure."""
        from latentia.report.copies_picture import copies_picture

        return copies_picture(self)


def judge(
    run: Run | str | os.PathLike[str],
    features: Run | str | os.PathLike[str],
    data: Any = None,
    *,
    split: str = "test",
    n: int = 5_000,
    seed: int = 0,
) -> DrawnJudgement:
    """Compare new images of ``run`` with images it was not trained on, and look for copies of its training images.

    Args:
        run: the autoencoder.
        features: the run of a classifier of the same kind of images, made by :func:`latentia.finetune`.
        data: what to take test and training images from, where the run's own data was in memory.
        split: the images that new ones should be like.
        n: how many of each set are compared at most.
        seed: of the new images, and of the choice.

    Raises:
        UserError: ``features`` is no classifier, the images do not fit each other, or there are too few.
    """
    opened, judged_by = (each if isinstance(each, Run) else open_run(each) for each in (run, features))
    if judged_by.kind != "classifier":
        raise UserError(
            f"{judged_by.path} is no classifier, and its features say little: make one with latentia finetune "
            f"{judged_by.path} DATA"
        )
    about = judged_by.description
    labels = about["data"].get("labels", {}).get("count")
    learned = f" with {labels:,} labels" if isinstance(labels, int) else ""
    extractor = f"{judged_by.path.name}, a classifier trained on {about['data']['source']}{learned}"
    test = opened.test_images(data, split)
    in_memory = opened.description["data"]["location"] is None
    training = opened.training_images(data if in_memory else None)
    count = max(min(n, len(test), len(training)), min(task.CHECKED, n))
    new = opened.generation(count, seed, training if in_memory else None).images
    named = {"name": opened.title, "extractor": extractor}
    found = task.judge(new, test, training, judged_by.classifier, **named, most=n, seed=seed)
    return dressed(DrawnJudgement, found)
