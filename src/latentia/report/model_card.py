"""The model card of a run: what the model is, what it was trained on, how good it is, how to use it. In Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from latentia.presets import PRESETS

MEANINGS = {
    "loss": "what training minimises",
    "reconstruction": "minus log p(x given z), nats an image",
    "kl": "KL divergence of posterior and prior, nats an image",
    "mse": "squared error of a pixel's value, pixels in [0, 1]",
    "error": "share of images in the wrong class",
    "accuracy": "share of images in the right class",
}


def model_card(
    described: Mapping[str, Any],
    model: Mapping[str, Any],
    history: Sequence[Mapping[str, Any]],
    parameters: int,
    pictures: Sequence[Path] = (),
) -> str:
    """Return the card's text.

    Args:
        described: what ``run.json`` says, without traces of the machine.
        model: what ``model.json`` says.
        history: one record for each epoch.
        parameters: how many numbers the model has learned.
        pictures: file names below ``figures/``.
    """
    classifier = model["kind"] == "classifier"
    task = "image-classification" if classifier else "image-feature-extraction"
    head = ["---", "library_name: latentia", f"pipeline_tag: {task}", "tags:", "- latentia", f"- {described['preset']}"]
    head += ["- autoencoder", "- model_hub_mixin", "---"]
    title = f"# {described['preset']} on {described['data']['source']}"
    body = [*head, "", title, "", _summary(described, classifier), "", *_facts(described, model, parameters), ""]
    body += [*_figures(described, history), "", *_usage(classifier), ""]
    for picture in pictures:
        body += [f"![{picture.stem.replace('-', ' ').replace('_', ' ')}](figures/{picture.name})", ""]
    body += [
        "## Limits",
        "",
        "The model knows images like those it was trained on; of others nothing is promised. What the training images leave out",
        "or show too often is not known here. The weights are safetensors; nothing here is a pickle.",
        "",
    ]
    return "\n".join(body)


def _summary(described: Mapping[str, Any], classifier: bool) -> str:
    preset = PRESETS.get(str(described["preset"]))
    what = f"The preset `{described['preset']}`: {preset.summary}" if preset is not None else "An autoencoder"
    if classifier:
        what = "A classifier made of an autoencoder with few labels"
    return f"{what}. Trained with Latentia {described.get('versions', {}).get('latentia', '')}."


def _facts(described: Mapping[str, Any], model: Mapping[str, Any], parameters: int) -> list[str]:
    pixel, data, architecture = model["pixel_format"], described["data"], model["architecture"]
    held = data.get("validation")
    rows = [
        (
            "images",
            f"{pixel['channels']} x {pixel['height']} x {pixel['width']}, {pixel['dtype']}, "
            f"{pixel['low']:g} to {pixel['high']:g}",
        ),
        ("trained on", f"{data['train']['count']:,} images" + (f", validated on {held['count']:,}" if held else "")),
        ("encoder", _part(architecture["encoder"])),
        ("bottleneck", _part(architecture["bottleneck"])),
        ("decoder, likelihood", f"{_part(architecture['decoder'])}, {_part(architecture['likelihood'])}"),
        ("parameters", f"{parameters:,}"),
        (
            "training",
            f"{described['settings']['epochs']} epochs, batches of {described['settings']['batch_size']}, "
            f"{described['settings']['optimizer']}, seed {described['settings']['seed']}, "
            f"{described.get('seconds', 0):,.0f} s on {described.get('device', 'an unknown device')}",
        ),
    ]
    if model["kind"] == "classifier":
        rows.append(("classes", ", ".join(model["classes"])))
    return ["| | |", "|---|---|", *(f"| {name} | {value} |" for name, value in rows)]


def _part(values: Mapping[str, Any]) -> str:
    """Return a part as ``name (field value, …)``."""
    fields = [
        f"{name} {'x'.join(map(str, value)) if isinstance(value, list) else value}"
        for name, value in values.items()
        if name != "name" and value not in (None, False, 0, 0.0, [])
    ]
    return f"{values['name']} ({', '.join(fields)})" if fields else str(values["name"])


def _figures(described: Mapping[str, Any], history: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the figures of the epoch whose weights were kept."""
    if not history:
        return []
    best = next((record for record in history if record["epoch"] == described.get("best_epoch")), history[-1])
    held = best.get("validation")
    where = "validation images, which also chose the epoch" if held else "training images: there were no others"
    rows = [f"| {name} | {value:.5g} | {MEANINGS.get(name, '')} |" for name, value in (held or best["train"]).items()]
    lines = [
        "## Figures",
        "",
        f"Epoch {best['epoch']}, means over the {where}. No test image was looked at for this card.",
    ]
    return [*lines, "", "| | | |", "|---|---|---|", *rows]


def _usage(classifier: bool) -> list[str]:
    use = "answers = run.predict(images)  # int64 [N]" if classifier else "codes = run.embed(images)  # float32 [N, D]"
    return [
        "## Use",
        "",
        "```python",
        "from latentia.api import pull",
        "",
        'run = pull("hf:OWNER/NAME")  # or the folder this card lies in',
        use,
        "```",
        "",
        "The same from the command line: `latentia pull hf:OWNER/NAME`.",
    ]
