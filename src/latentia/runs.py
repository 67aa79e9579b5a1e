"""A trained run as an object: a run folder, its model, and what they are good for."""

from __future__ import annotations

import dataclasses
import functools
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from latentia.beside import Beside
from latentia.classifier import Classifier
from latentia.core.errors import UserError
from latentia.data.imageset import ImageSet, PixelFormat
from latentia.data.load import EmptySplit, load
from latentia.model import Autoencoder
from latentia.objective import Objective
from latentia.tasks.calibration import kept_temperature
from latentia.tasks.cluster import cluster
from latentia.tasks.clusters import Clusters
from latentia.tasks.control import BesideControl, beside_control, find_control
from latentia.tasks.denoise import denoise
from latentia.tasks.embed import embed
from latentia.tasks.evaluate import Evaluation, evaluate
from latentia.tasks.generate import Generated, generate, has_prior
from latentia.tasks.kept_mixture import mixture_of_run
from latentia.tasks.map_codes import Map, map_images
from latentia.tasks.onnx_files import Exported, export_onnx, need_onnx
from latentia.tasks.predict import Prediction, learned_names, predict
from latentia.tasks.reconstruct import Reconstruction, reconstruct
from latentia.training.learned import has_learned
from latentia.training.run import DataChoice
from latentia.training.run_folder import RunFolder
from latentia.training.storage import load_classifier, load_model, model_digest


def open_run(path: str | os.PathLike[str]) -> Run:
    """Return the run in the folder ``path``.

    Raises:
        UserError: it is no run folder, of a newer version, or that of something else, such as a learning curve.
    """
    run = Run(RunFolder.open(path))
    if run.kind not in ("autoencoder", "classifier"):
        raise UserError(
            f"{run.path} holds a {run.kind}, not a trained model: name the run of an autoencoder or a classifier"
        )
    return run


class Run(Beside):
    """A run folder with a trained model: what it is good for, as methods.

    Arrays, tensors and ImageSets are accepted wherever images are.
    """

    def __init__(self, folder: RunFolder, model: Autoencoder | Classifier | None = None) -> None:
        self._folder = folder
        if model is not None:
            self.__dict__["classifier" if isinstance(model, Classifier) else "model"] = model

    @property
    def path(self) -> Path:
        """The run's folder."""
        return self._folder.path

    @functools.cached_property
    def model(self) -> Autoencoder:
        """The module with the best weights, in evaluation mode: ``[B, C, H, W]`` in [0, 1] to the same."""
        return load_model(self.path)

    @functools.cached_property
    def classifier(self) -> Classifier:
        """The classifier, in evaluation mode: ``[B, C, H, W]`` in [0, 1] to logits ``[B, K]``."""
        return load_classifier(self.path)

    @property
    def kind(self) -> str:
        """``autoencoder`` or ``classifier``."""
        return str(self.description.get("kind", "autoencoder"))

    @property
    def format(self) -> PixelFormat:
        """The images that the model is made for."""
        return self.classifier.format if self.kind == "classifier" else self.model.format

    @functools.cached_property
    def description(self) -> dict[str, Any]:
        """What ``run.json`` says."""
        return self._folder.describe()

    @property
    def title(self) -> str:
        """What pictures say of the run, such as ``vae on mnist``."""
        return f"{self.description['preset']} on {self.description['data']['source']}"

    @property
    def history(self) -> list[dict[str, Any]]:
        """One record for each epoch: figures on training and validation images."""
        return self._folder.metrics()

    @functools.cached_property
    def objective(self) -> Objective:
        """What the model was trained for."""
        return Objective.from_json(self.description["objective"])

    def images(self, data: Any, split: str = "all") -> ImageSet:
        """Return ``data`` as images, brought to the size and channels of this run's own, split by the run's seed.

        Nothing is lost by it: grey images become coloured for a model of coloured ones, but no coloured one becomes grey.
        """
        described = self.description["data"]
        options = loadable(described["options"]) if isinstance(data, str | os.PathLike) else {}
        options.pop("split", None)
        if isinstance(data, str | os.PathLike) and "size" not in options and _has_sizes(os.fspath(data)):
            # a folder is brought to the model's size, as the training folder was
            options["size"] = (self.format.height, self.format.width)
        if isinstance(data, str | os.PathLike):
            options["channels"] = self.format.channels
        return load(data, split, split_seed=described["split_seed"], **options)

    def embed(self, data: Any, *, pool: bool = False, features: str | None = None) -> npt.NDArray[np.float32]:
        """Return the codes of ``data``, float32 ``[N, latent_dim]``: deterministic, the posterior mean for a ``vae``.

        ``pool`` averages a spatial code over its positions; ``features`` names a layer of the encoder to take in its place.
        """
        return embed(self.model, self.images(data), pool=pool, features=features)

    def reconstruct(self, data: Any) -> ImageSet:
        """Return the reconstructions of ``data``: same names, shape and dtype."""
        return self.reconstruction(data).images

    def reconstruction(self, data: Any) -> Reconstruction:
        """Return the reconstructions together with the error of each image."""
        return reconstruct(self.model, self.images(data))

    def denoise(self, data: Any) -> ImageSet:
        """Return noisy images restored as they are: same names, shape and dtype; a spatial code takes any size."""
        return denoise(self.model, self.images(data))

    def evaluate(self, data: Any = None, split: str = "test") -> Evaluation:
        """Return the figures on ``split`` of ``data`` (the run's own by default), beside the mean image and PCA.

        Raises:
            UserError: the run's data was in memory and ``data`` is not given.
        """
        images = self.test_images(data, split)
        in_memory = self.description["data"]["location"] is None
        baseline_images = self.training_images(data if in_memory else None)
        return evaluate(self.model, self.objective, images, baseline_images)

    def test_images(self, data: Any = None, split: str = "test") -> ImageSet:
        """Return the images to judge by: ``split`` of ``data``, or of the run's own data unless that was in memory."""
        location = self.description["data"]["location"]
        if data is None and location is None:
            raise UserError(f"{self.path} was trained on images in memory: say which images to evaluate on")
        return self.images(data if data is not None else location, split)

    def training_images(self, data: Any = None) -> ImageSet:
        """Return the images the run was trained on; those of a run in memory are not kept, so ``data`` stands in.

        Raises:
            UserError: the run's data was in memory and ``data`` is not given.
        """
        described = self.description["data"]
        if data is None and described["location"] is None:
            raise UserError(f"{self.path} was trained on images in memory: hand over images like its training images")
        return DataChoice.of(described).load(data)[0]

    def generate(self, n: int = 64, seed: int = 0) -> ImageSet:
        """Return ``n`` new images of the model's shape, dtype and range."""
        return self.generation(n, seed).images

    def generation(self, n: int = 64, seed: int = 0, data: Any = None) -> Generated:
        """Return ``n`` new images with their codes, drawn from the prior, or from a mixture where there is none.

        The mixture is fitted to the codes of ``data``, else of the training images, and kept in the run's folder.
        """
        model, objective, mixture = self.model, self.objective, None
        if not has_prior(model, objective):
            images = self.training_images if data is None else functools.partial(self.images, data)
            mixture = mixture_of_run(self.path, model, images, refit=data is not None)
        return generate(model, n, seed=seed, mixture=mixture, objective=objective)

    def summary(self) -> str:
        """Return what the run came to, in a few lines; figures are of the validation images unless said otherwise."""
        described, history = self.description, self.history
        best = next((record for record in history if record["epoch"] == described.get("best_epoch")), history[-1])
        judged, where = best.get("validation"), "validation"
        if judged is None:
            judged, where = best["train"], "training"
        figures = ", ".join(f"{name} {value:.5g}" for name, value in judged.items())
        lines = [
            f"{described['preset']} on {described['data']['source']}: {described['data']['train']['count']:,} images, "
            f"{self._length(len(history))} in {described.get('seconds', 0):,.0f} s; "
            f"best epoch {best['epoch']}, {where}: {figures}",
        ]
        pictures = sorted((self.path / "figures").glob("*.png"))
        if pictures:
            lines.append(f"pictures: {self.path / 'figures'} ({', '.join(picture.stem for picture in pictures)})")
        if (self.path / "report.html").is_file():
            lines.append(f"report: {self.path / 'report.html'}")
        return "\n".join(lines)

    def _length(self, epochs: int) -> str:
        asked = self.description["settings"]
        if self.description["status"] != "finished" or epochs >= asked["epochs"]:
            return f"{epochs} epochs"
        why = f" (no better one in the last {asked['patience']})" if asked["patience"] else ""
        return f"{epochs} of {asked['epochs']} epochs{why}"

    def export_onnx(
        self, path: str | os.PathLike[str], data: Any = None, *, part: str = "whole", any_size: bool = False
    ) -> Exported:
        """Write the model as an ONNX file, checked on ``data`` or the run's own images; see :func:`export_onnx`.

        Raises:
            UserError: also where the run's images were in memory and none are named.
        """
        need_onnx()
        images = self.images(data) if data is not None else self.training_images()
        about = {"latentia.preset": str(self.description.get("preset"))}
        if self.kind == "classifier":
            temperature = kept_temperature(self.path)
            return export_onnx(
                self.classifier, images, Path(path), part=part, any_size=any_size, temperature=temperature, about=about
            )
        return export_onnx(self.model, images, Path(path), part=part, any_size=any_size, about=about)

    def predict(self, data: Any) -> npt.NDArray[np.int64]:
        """Return the class of each image, int64 ``[N]``, as a number of ``classifier.classes``."""
        return self.prediction(data).labels

    def predict_proba(self, data: Any) -> npt.NDArray[np.float64]:
        """Return the calibrated probability of each class, float64 ``[N, K]``."""
        return self.prediction(data).probabilities

    def prediction(self, data: Any, *, split: str = "all", unsure: float = 0.0) -> Prediction:
        """Return what the classifier says of ``data``; ``unsure`` where its probability is below that.

        Images whose label it learned from are not judged.
        """
        images = self.images(data, split)
        learned = None if images.labels is None else self._label_learned(images)
        return predict(self.classifier, images, kept_temperature(self.path), unsure, learned)

    def _label_learned(self, images: ImageSet) -> npt.NDArray[np.bool_] | None:
        known = has_learned(self.path, images)
        if known is None and images.source == self.description["data"]["source"]:  # a run of an earlier version
            names = learned_names(self.path)
            known = np.array([name in names for name in images.names], dtype=bool)
        return known

    @property
    def warning(self) -> str:
        """What a person should know before trusting the classifier's answers: that its training has not ended; else nothing."""
        if self.description.get("status", "finished") == "finished":
            return ""
        return f"{self.path} is not finished, so its probabilities are not calibrated: {self._folder.resuming}"

    def classification(self, data: Any = None, split: str = "test") -> Prediction:
        """Return what the classifier says of ``split`` of ``data`` (the run's own by default), which has labels.

        Raises:
            UserError: no image of it has a label, or the run learned from all images of its own data.
        """
        described = self.description["data"]
        if data is None and split == "test" and described["options"].get("split") == "all":
            raise UserError(
                f"{self.path} was trained on all images of {described['source']}, so none are left to test on: name others"
            )
        found = self.prediction(self.test_images(data, split))
        if found.judgement() is None:
            raise UserError(f"{found.images.source} has no labels on its {split} split: there is nothing to judge by")
        return found

    def unlearned_images(self) -> ImageSet | None:
        """Return the validation images, which a classifier did not learn from; all, where it learned from any of them.

        ``None`` where its data was in memory, or where there are none.
        """
        described = self.description["data"]
        if described["location"] is None:
            return None
        try:
            return self.images(
                described["location"], "validation" if described["options"].get("split") == "train" else "all"
            )
        except EmptySplit:
            return None

    @property
    def control(self) -> Run | None:
        """The control of a classifier, the same network trained from scratch, where there is one beside it."""
        found = find_control(self.path)
        return None if found is None else open_run(found)

    def beside_control(self, data: Any = None, split: str = "all") -> BesideControl:
        """Return this classifier and its control on ``split`` of ``data``, by default on images it did not learn from.

        Raises:
            UserError: there is no control, or the run's data was in memory and ``data`` is not given.
        """
        control = self.control
        if control is None:
            raise UserError(f"{self.path} has no control beside it: fine-tune with --control")
        images = self.unlearned_images() if data is None else self.images(data, split)
        if images is None:
            raise UserError(f"{self.path} has no images left to compare by: name others")
        return beside_control(self.prediction(images), control.prediction(images))

    def __repr__(self) -> str:
        return f"<Run {self.path}: {self.description.get('preset')} ({self.description.get('status')})>"

    def _repr_html_(self) -> str:
        from latentia.report.notebook import run_html

        return run_html(self._folder)

    def map(self, data: Any, *, method: str = "tsne", most: int = 5000, seed: int = 0) -> Map:
        """Return the codes of ``data`` in the plane, ``[M, 2]``, with their trustworthiness; see :func:`map_images`."""
        return map_images(self.model, self.images(data), method=method, most=most, seed=seed)

    def cluster(
        self,
        data: Any,
        k: int | None = None,
        *,
        method: str = "auto",
        on: str = "auto",
        seed: int = 0,
        repeats: int = 5,
    ) -> Clusters:
        """Return ``data`` in ``k`` clusters, or as many as are found without labels; ``predict`` places new images.

        Arguments and errors are those of :func:`latentia.tasks.cluster.cluster`.
        """
        found = cluster(self.model, self.images(data), k, method=method, on=on, seed=seed, repeats=repeats)
        about = {**found.about, "run": str(self.path), "model": model_digest(self.path)}
        return dataclasses.replace(found, about=about, embed=self._codes_to_cluster)

    def clusters(self, folder: str | os.PathLike[str]) -> Clusters:
        """Return the clusters that ``latentia cluster``, or ``save``, wrote into ``folder``.

        Raises:
            UserError: the folder holds none, or those of another model.
        """
        found = Clusters.load(Path(folder))
        self.check_clusters(found)
        return dataclasses.replace(found, embed=self._codes_to_cluster)

    def _codes_to_cluster(self, data: Any) -> npt.NDArray[np.float32]:
        return self.embed(data, pool=True)

    def check_clusters(self, clusters: Clusters) -> None:
        """Raise a :class:`UserError` where ``clusters`` were made with another model than this run's."""
        if clusters.about.get("model") != model_digest(self.path):
            raise UserError(
                f"the clusters were made with {clusters.about.get('run', 'another model')}, and the model of {self.path} is "
                "another one, or was trained on since: cluster with this run, or name the one they were made with"
            )


def _has_sizes(location: str) -> bool:
    """Return whether images there may have any size: they lie in a folder, or stream."""
    return Path(location).is_dir() or location.startswith(("wds:", "hf:"))


def loadable(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return data options, as `run.json` holds them, in the form that `latentia.load` takes."""
    return {key: tuple(value) if key == "size" else value for key, value in options.items() if value is not None}
