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
        optimizer: what trains it where nothing else is asked for.
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
    optimizer: str = "adam"


PRESETS: dict[str, Preset] = {
    "cae": Preset("convolutional autoencoder (Masci et al. 2011)"),
    "dae": Preset(
        "denoising autoencoder: half of the inputs off, loss against the clean image (Vincent et al. 2008); its code holds "
        "eight numbers a pixel, whatever the images' size",
        encoder="residual:widths=64,blocks=2",
        bottleneck="deterministic:spatial=true,latent_dim=32",
        corruption="mask:p=0.5",
        optimizer="muon",
    ),
    "denoising-cae": Preset(
        "denoising autoencoder with a small vector code, for features (Vincent et al. 2010)", corruption="mask:p=0.5"
    ),
    "warp-cae": Preset(
        "restores images that were bent, turned and shifted, so its code holds what stays: for features and clusters (ours, "
        "after Vincent et al. 2010)",
        bottleneck="deterministic:latent_dim=64",
        corruption="warp",
        optimizer="muon",
    ),
    "mae": Preset(
        "masked patches to fill in, after He et al. 2022; loss on all pixels (theirs: --target changed)",
        bottleneck="deterministic:latent_dim=32,spatial=true",
        corruption="patches",
    ),
    "sparse": Preset(
        "sparse autoencoder: many rectified units, an L1 penalty on the code (Ng 2011; Hoyer 2004)",
        bottleneck="deterministic:latent_dim=128,relu=true",
        penalties=("l1",),
        weights=(("l1", 0.03),),
    ),
    "k-sparse": Preset("only the k largest units stay (Makhzani & Frey 2013)", bottleneck="k-sparse"),
    "winner-take-all": Preset(
        "only the winner of each feature map stays (Makhzani & Frey 2015)",
        bottleneck="winner-take-all",
    ),
    "contractive": Preset(
        "contractive autoencoder: the code follows small changes little (Rifai et al. 2011)",
        penalties=("contractive",),
        weights=(("contractive", 0.1),),
    ),
    "vq-vae": Preset(
        "vector quantisation with a learned codebook (van den Oord et al. 2017)",
        bottleneck="vq",
        weights=(("commitment", 0.25),),
    ),
    "fsq": Preset("finite scalar quantisation (Mentzer et al. 2023)", bottleneck="fsq"),
    "wae-mmd": Preset(
        "Wasserstein autoencoder: codes matched to the prior by MMD (Tolstikhin et al. 2018)",
        penalties=("mmd",),
        weights=(("mmd", 10.0),),
    ),
    "vae": Preset(
        "variational autoencoder (Kingma & Welling 2013)",
        bottleneck="gaussian",
        likelihood="bernoulli",
    ),
    "beta-vae": Preset(
        "variational autoencoder whose KL counts more, here twice (Higgins et al. 2017; theirs: --bound.beta 4)",
        bottleneck="gaussian",
        likelihood="bernoulli",
        bound="elbo:beta=2",
    ),
    "denoising-vae": Preset(
        "variational autoencoder from corrupted images (Im et al. 2017)",
        bottleneck="gaussian",
        likelihood="bernoulli",
        corruption="mask:p=0.25",
    ),
    "iwae": Preset(
        "importance-weighted autoencoder (Burda et al. 2016)",
        bottleneck="gaussian",
        likelihood="bernoulli",
        bound="iwae",
    ),
    "dreg-iwae": Preset(
        "importance-weighted, with doubly re-parameterised gradients (Tucker et al. 2019)",
        bottleneck="gaussian",
        likelihood="bernoulli",
        bound="dreg",
    ),
    "vamp-vae": Preset(
        "variational autoencoder with a VampPrior (Tomczak & Welling 2018)",
        bottleneck="gaussian",
        likelihood="bernoulli",
        prior="vamp",
    ),
    "flow-vae": Preset(
        "variational autoencoder with a flow prior (Rezende & Mohamed 2015; Dinh et al. 2017)",
        bottleneck="gaussian",
        likelihood="bernoulli",
        prior="flow",
    ),
    "mixture-vae": Preset(
        "variational autoencoder with a learned mixture of normals as its prior (Dilokthanakul et al. 2016)",
        bottleneck="gaussian",
        likelihood="bernoulli",
        prior="gaussian-mixture",
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
    optimizer: str = "adam"


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
    return Design(name, architecture, objective, chosen.optimizer)


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
