"""What an autoencoder is put together from. Each kind of part is a package here, each part a file in it."""

from __future__ import annotations

from latentia.core.registry import Registry

ENCODERS = Registry("encoder", "latentia.parts.encoders")
BOTTLENECKS = Registry("bottleneck", "latentia.parts.bottlenecks")
DECODERS = Registry("decoder", "latentia.parts.decoders")
LIKELIHOODS = Registry("likelihood", "latentia.parts.likelihoods")
PRIORS = Registry("prior", "latentia.parts.priors")
CORRUPTIONS = Registry("corruption", "latentia.parts.corruptions")
BOUNDS = Registry("bound", "latentia.parts.bounds")
PENALTIES = Registry("penalty", "latentia.parts.penalties")
AUGMENTATIONS = Registry("augmentation", "latentia.parts.augmentations")

KINDS: dict[str, Registry] = {
    registry.kind: registry
    for registry in (
        ENCODERS,
        BOTTLENECKS,
        DECODERS,
        LIKELIHOODS,
        PRIORS,
        CORRUPTIONS,
        BOUNDS,
        PENALTIES,
        AUGMENTATIONS,
    )
}
