"""The named autoencoders: composition only. Each line of a preset names a part, ``name`` or ``name:field=value``."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from latentia.core.errors import UserError, nearest, unknown
from latentia.core.spec import parse

if TYPE_CHECKING:
    from latentia.model import Architecture
    from latentia.objective import Objective


@dataclasses.dataclass(frozen=True)
class Preset:
    """A named point on the grid; what it does not name is the plain autoencoder's.

    Attributes:
        summary: one line for help texts, with the source.
        decoder: the encoder's mirror where empty.
        penalties: text forms, in order.
        weights: the factors of named terms.
        target: ``all`` or ``changed`` pixels.
    """

    summary: str
    encoder: str = "conv"
    bottleneck: str = "deterministic"
    decoder: str = ""
    likelihood: str = "squared-error"
    prior: str = "standard-normal"
    corruption: str = "none"
    bound: str = "elbo"
    penalties: tuple[str, ...] = ()
    weights: tuple[tuple[str, float], ...] = ()
    target: str = "all"


PRESETS: dict[str, Preset] = {
    "cae": Preset("convolutional autoencoder (Masci et al. 2011)"),
    "dae": Preset(
        "denoising autoencoder: half of the inputs off, loss against the clean image (Vincent et al. 2008)",
        bottleneck="deterministic:spatial=true,latent_dim=32",
        corruption="mask:p=0.5",
    ),
    "vae": Preset(
        "variational autoencoder (Kingma & Welling 2013)",
        bottleneck="gaussian",
        likelihood="bernoulli",
    ),
}

MODEL_KINDS = ("encoder", "bottleneck", "decoder", "likelihood", "prior")
LOSS_KINDS = ("corruption", "bound")


@dataclasses.dataclass(frozen=True)
class Design:
    """A preset made concrete: what is built and what it is trained for."""

    preset: str
    architecture: Architecture
    objective: Objective


def design(preset: str = "cae", options: Mapping[str, Any] | None = None) -> Design:
    """Return the design of ``preset``, a name or ``name:field=value,…``, changed by ``options``.

    Args:
        preset: such as ``"vae"`` or ``"vae:beta=4,latent_dim=8"``.
        options: ``{"encoder": "residual", "corruption.p": 0.3, "latent_dim": 16, "weight.kl": 2.0, "penalty": "…"}``. A
            kind's name replaces the part, ``kind.field`` sets a field, and a bare field name is looked for in the parts.

    Raises:
        UserError: a name or field that does not exist, a value that does not fit, or parts that cannot work together.
    """
    from latentia.model import Architecture
    from latentia.objective import Objective
    from latentia.parts import KINDS, PENALTIES

    name, given = parse(preset)
    if name not in PRESETS:
        raise unknown("preset", name, PRESETS)
    chosen = PRESETS[name]
    options = {
        key.replace("-", "_"): value for key, value in {**given, **dict(options or {})}.items() if value is not None
    }
    texts: dict[str, Any] = {
        kind: options.pop(kind, None) or getattr(chosen, kind) for kind in MODEL_KINDS + LOSS_KINDS
    }
    penalties = options.pop("penalty", None)
    penalties = _penalty_texts(penalties) if penalties is not None else chosen.penalties
    mirrored = not texts["decoder"]
    if mirrored:
        texts["decoder"] = _mirror(texts["encoder"])
    weights = dict(chosen.weights)
    weights.update(
        {
            key.removeprefix("weight."): _weight(key, options.pop(key))
            for key in list(options)
            if key.startswith("weight.")
        }
    )
    target = options.pop("target", chosen.target)
    parts: dict[str, Any] = {kind: KINDS[kind].make(text) for kind, text in texts.items()}
    fields = _assign(options, parts, mirrored=mirrored)
    parts = {kind: KINDS[kind].make(part, **fields.get(kind, {})) for kind, part in parts.items()}
    architecture = Architecture(**{kind: parts[kind] for kind in MODEL_KINDS})
    objective = Objective(
        corruption=parts["corruption"],
        bound=parts["bound"],
        penalties=tuple(PENALTIES.make(text) for text in penalties),  # type: ignore[misc]
        weights=tuple(sorted(weights.items())),
        target=target,
    )
    objective.check(architecture)
    return Design(name, architecture, objective)


def _mirror(encoder: Any) -> str:
    from latentia.parts import DECODERS, ENCODERS

    part = ENCODERS.make(encoder)
    if part.name not in DECODERS.names():
        raise UserError(f"the encoder {part.name!r} has no decoder of its name: choose one with --decoder")
    shared = set(part.fields()) & {field.name for field in dataclasses.fields(DECODERS.get(part.name))}
    return str(DECODERS.make(part.name, **{field: getattr(part, field) for field in shared}))


def _assign(options: Mapping[str, Any], parts: Mapping[str, Any], *, mirrored: bool) -> dict[str, dict[str, Any]]:
    """Give each option to the part that has it; where the decoder mirrors the encoder, one option speaks for both."""
    fields: dict[str, dict[str, Any]] = {}
    for key, value in options.items():
        kind, dot, field = key.partition(".")
        owners = [kind] if dot and kind in parts else [] if dot else _owners(key, parts)
        if not dot and mirrored and owners == ["encoder", "decoder"]:
            owners = ["encoder"]
        if len(owners) != 1:
            known = sorted({f"{kind}.{name}" for kind, part in parts.items() for name in part.fields()} | {*parts})
            problem = f"is in several parts ({', '.join(owners)})" if owners else "does not exist here"
            raise UserError(f"the option {key!r} {problem}{nearest(key, known)} (options: {', '.join(known)})")
        fields.setdefault(owners[0], {})[field if dot else key] = value
        if mirrored and owners == ["encoder"] and "decoder" in _owners(field if dot else key, parts):
            fields.setdefault("decoder", {}).setdefault(field if dot else key, value)
    return fields


def _owners(field: str, parts: Mapping[str, Any]) -> list[str]:
    return [kind for kind, part in parts.items() if field in part.fields()]


def _penalty_texts(value: Any) -> tuple[str, ...]:
    if isinstance(value, str):
        return tuple(text for text in value.split("+") if text and text != "none")
    return tuple(value)


def _weight(key: str, value: Any) -> float:
    from latentia.core.spec import fit

    return float(fit(value, float, key))
