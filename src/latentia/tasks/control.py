"""The control of a fine-tuned classifier: the same network from scratch, and what both say of the same images.

Everything else is the same: labels, unlabelled images, losses, augmentation, number of steps, seed (Erhan et al. 2010 compare
so). Two classifiers on the same images are compared by the images that only one of them gets right (McNemar 1947).
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from latentia.classifier import Classifier, Head
from latentia.core.errors import UserError
from latentia.core.notebook import Printed
from latentia.core.ranks import lead
from latentia.data.imageset import ImageSet
from latentia.finetuning import FineTuning
from latentia.tasks.finetune import own_labels, resume_finetune, start_finetune
from latentia.tasks.predict import LABELS, Judgement, Prediction
from latentia.training.run import DataChoice
from latentia.training.run_folder import RunFolder
from latentia.training.settings import FineTuneSettings
from latentia.training.sharding import gone_on_with
from latentia.training.storage import load_classifier

WANTED, OF = "control", "control_of"  # entries of run.json: that there is to be one, and whose it is


@dataclasses.dataclass(frozen=True)
class BesideControl(Printed):
    """A pre-trained classifier and its control on the same images.

    Attributes:
        where: the images.
        agreement: the share of them that both name alike.
        pretrained, scratch: how right each is; ``None`` where no image has a label.
        gain: error from scratch less error pre-trained; NaN without labels.
        low, high: its 95 % interval over images.
        p_value: two-sided, exact, that both err equally often (McNemar 1947).
    """

    where: str
    agreement: float
    pretrained: Judgement | None
    scratch: Judgement | None
    gain: float = math.nan
    low: float = math.nan
    high: float = math.nan
    p_value: float = math.nan

    @property
    def verdict(self) -> str:
        """What pre-training bought, on these images and with these labels."""
        if self.pretrained is None:
            return f"no image has a label that was not learned, so only this can be told: both agree on {self.agreement:.2%}"
        interval = f"95 % interval {100 * self.low:+.2f} to {100 * self.high:+.2f}"
        if self.p_value >= 0.05:
            return f"pre-training bought nothing that can be told here ({100 * self.gain:+.2f} points, {interval})"
        kind = "bought" if self.gain > 0 else "cost"
        return f"pre-training {kind} {100 * abs(self.gain):.2f} points here ({interval} of the gain)"

    def to_json(self) -> dict[str, Any]:
        """Return all figures."""
        return {
            "where": self.where,
            "agreement": self.agreement,
            "pretrained": None if self.pretrained is None else self.pretrained.to_json(),
            "scratch": None if self.scratch is None else self.scratch.to_json(),
            "gain": self.gain,
            "interval": [self.low, self.high],
            "p_value": self.p_value,
            "verdict": self.verdict,
        }

    def __str__(self) -> str:
        lines = [f"beside its control, on {self.where}:"]
        for name, judged in (("pre-trained", self.pretrained), ("the same network from scratch", self.scratch)):
            if judged is not None:
                lines.append(f"  {name:<30} error {judged.error:>7.2%} ({judged.low:.2%} to {judged.high:.2%})")
        return "\n".join([*lines, f"  {self.verdict}"])


def beside_control(pretrained: Prediction, scratch: Prediction) -> BesideControl:
    """Return two classifiers of the same classes on the same images side by side."""
    from scipy.stats import binomtest

    images = pretrained.images
    where = f"{len(images):,} {images.split} images of {images.source}"
    agreement = float((pretrained.labels == scratch.labels).mean())
    first, second = pretrained.judgement(), scratch.judgement()
    if first is None or second is None or pretrained.truth is None:
        return BesideControl(where, agreement, None, None)
    rows = pretrained.truth != -1
    truth = pretrained.truth[rows]
    difference = (scratch.labels[rows] != truth).astype(int) - (pretrained.labels[rows] != truth).astype(int)
    gain, apart = float(difference.mean()), int(np.abs(difference).sum())
    half = 1.959964 * float(difference.std()) / math.sqrt(len(difference))
    p_value = float(binomtest(int((difference > 0).sum()), apart).pvalue) if apart else 1.0
    return BesideControl(where, agreement, first, second, gain, gain - half, gain + half, p_value)


def find_control(path: Path) -> Path | None:
    """Return the folder of the control of the run in ``path``: it lies beside it; ``None`` where there is none yet."""
    for found in sorted(path.parent.glob("*-classifier/run.json"), reverse=True):
        try:
            if RunFolder(found.parent).describe().get(OF) == path.name:
                return found.parent
        except UserError:
            continue  # a damaged or foreign folder is no control
    return None


def _state_of_control(path: Path) -> tuple[str | None, str | None]:
    begun = find_control(path)
    return (None, None) if begun is None else (str(begun), RunFolder(begun).describe().get("status"))


def train_control(
    path: Path, images: ImageSet, *, quiet: bool = False, say: Callable[[str], None] = lambda text: None
) -> tuple[RunFolder, Classifier]:
    """Train the control of the finished run in ``path``, or go on with it, and return its folder and the classifier.

    Args:
        path: the folder of the classifier's run.
        images: what that learned from.
        quiet: no progress.
        say: told what a person should know.
    """
    begun, status = lead(lambda: _state_of_control(path))  # one looks for all: the next moment it may be there
    if begun is not None:
        if status == "finished":
            return RunFolder(Path(begun)), load_classifier(Path(begun))
        return resume_finetune(begun, images, quiet=quiet, say=say)
    described = RunFolder.open(path).describe()
    how = FineTuning.from_fields(described["finetuning"], owner="finetuning")
    data = described["data"]
    say("now its control: the same network from scratch")
    return start_finetune(
        load_classifier(path).autoencoder,
        images,
        own_labels(path / LABELS, images, tuple(described["classes"])),
        how.control,
        gone_on_with(FineTuneSettings.from_fields(described["settings"], owner="settings")),
        path.parent,
        choice=DataChoice.of(data),
        origin=described["origin"]["from"],
        # a probe's head is linear, and all of a network is to learn
        head=None if how.mode == "probe" else Head.from_fields(described["head"], owner="head"),
        notes={OF: path.name},
        quiet=quiet,
        say=say,
    )
