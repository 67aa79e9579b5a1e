"""``push`` and ``pull``: a run in the layout of the Hugging Face Hub's model mixin, in a folder or on the Hub itself."""

from __future__ import annotations

import os
import re
import tempfile
from pathlib import Path
from typing import Any

from latentia.core.errors import LatentiaError, UserError
from latentia.report.model_card import model_card
from latentia.runs import Run, open_run
from latentia.training.run_folder import RunFolder
from latentia.training.shared_folder import FILES, read_shared, without_traces, write_shared
from latentia.training.storage import read_json

HUB = "hf:"


def push(
    run: Run | str | os.PathLike[str],
    target: str | os.PathLike[str],
    *,
    pictures: bool = False,
    public: bool = False,
) -> str:
    """Write a run's model with a model card into a folder, or put it on the Hub; return where it is.

    Args:
        run: the run, or its folder.
        target: a folder, or ``hf:owner/name``. The Hub is asked for by that name alone; ``huggingface_hub`` finds the login.
        pictures: let the run's pictures go along, which show images of its data.
        public: make the Hub's repository public, where it is new; private otherwise.

    Raises:
        UserError: no run, a damaged one, a name that is none, or ``huggingface_hub`` is not installed.
        StorageError: the folder cannot be written. LatentiaError: the Hub refused.
    """
    opened = run if isinstance(run, Run) else open_run(run)
    shown = sorted((opened.path / "figures").glob("*.png")) if pictures else []
    module = opened.classifier if opened.kind == "classifier" else opened.model
    card = model_card(
        without_traces(opened.description),
        read_json(opened.path / "model.json", "saved model"),
        opened.history,
        sum(parameter.numel() for parameter in module.parameters()),
        shown,
    )
    folder = RunFolder.open(opened.path)
    name = os.fspath(target)
    if not name.startswith(HUB):
        write_shared(folder, Path(name), card.replace(f"{HUB}OWNER/NAME", Path(name).name), shown)
        return name
    repository, hub = _repository(name), _hub()
    with tempfile.TemporaryDirectory() as place:
        write_shared(folder, Path(place), card.replace("OWNER/NAME", repository), shown)
        try:
            hub.create_repo(repository, private=not public, exist_ok=True)
            hub.upload_folder(repo_id=repository, folder_path=place, commit_message="Add a model of Latentia")
        except Exception as error:  # the library's own kinds are many: no login, no network, no right
            raise LatentiaError(f"the Hub did not take {repository}: {_first_line(error)}") from None
    return f"https://huggingface.co/{repository}"


def pull(source: str | os.PathLike[str], runs: str | os.PathLike[str] = "runs") -> Run:
    """Return a new run made of what :func:`push` wrote, from a folder or from ``hf:owner/name``.

    Raises:
        UserError: there is no model of Latentia, a damaged or a newer one, or ``huggingface_hub`` is not installed.
        LatentiaError: the Hub did not give it.
    """
    name = os.fspath(source)
    if not name.startswith(HUB):
        if not Path(name).is_dir():
            raise UserError(f"the folder {name!r} does not exist: name one that latentia push wrote, or hf:owner/name")
        return Run(read_shared(Path(name), Path(runs), Path(name).name))
    repository, hub = _repository(name), _hub()
    try:
        place = hub.snapshot_download(repository, allow_patterns=list(FILES))
    except Exception as error:  # see push
        raise LatentiaError(f"the Hub did not give {repository}: {_first_line(error)}") from None
    return Run(read_shared(Path(place), Path(runs), name))


def _repository(name: str) -> str:
    repository = name.removeprefix(HUB)
    if not re.fullmatch(r"[\w.-]+/[\w.-]+", repository):
        raise UserError(f"{name!r} names no repository of the Hub: write hf:owner/name")
    return repository


def _hub() -> Any:
    try:
        import huggingface_hub
    except ImportError:
        raise UserError("the Hub needs huggingface_hub, which is not installed: pip install 'latentia[hub]'") from None
    return huggingface_hub.HfApi()


def _first_line(error: Exception) -> str:
    return next((line.strip().rstrip(".") for line in str(error).splitlines() if line.strip()), type(error).__name__)
