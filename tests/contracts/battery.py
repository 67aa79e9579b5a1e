"""The properties that every part and every preset must have, as functions; the tests run them over the registries."""

from __future__ import annotations

import dataclasses
import functools
import json
from pathlib import Path

import pytest
import torch
from torch import Tensor

from latentia.core.errors import UserError
from latentia.core.noise import Noise
from latentia.core.registry import Registry
from latentia.core.spec import Part
from latentia.data.imageset import PixelFormat
from latentia.model import Autoencoder
from latentia.parts.base import View
from latentia.presets import Design, design
from latentia.training.storage import load_model, save_model

SHAPES = ((1, 8, 8), (3, 17, 13), (5, 9, 8))  # tiny, odd, more channels than a picture has
HOSTS = {  # the preset that a part of a kind is tried in
    "encoder": "cae",
    "bottleneck": "cae",
    "decoder": "cae",
    "likelihood": "cae",
    "prior": "vae",
    "corruption": "cae",
    "bound": "vae",
    "penalty": "cae",
}


def noise(count: int = 6, *address: int | str, seed: int = 0) -> Noise:
    return Noise(seed, torch.arange(100, 100 + count), *address)


def images(shape: tuple[int, int, int], count: int = 6) -> Tensor:
    return Noise(1, torch.arange(count), "images").uniform(*shape)


def shrunk(part: Part) -> Part:
    """Return the part with narrow layers, so that it builds in no time."""
    narrow = {
        "widths": lambda value: (16, 16),
        "hidden": lambda value: 32 if value is None else min(value, 32),
        "latent_dim": lambda value: min(value, 24),
        "components": lambda value: min(value, 5),
        "codebook_size": lambda value: min(value, 16),
    }
    known = {field.name for field in dataclasses.fields(part)}
    return dataclasses.replace(part, **{name: to(getattr(part, name)) for name, to in narrow.items() if name in known})


def small(made: Design) -> Design:
    """Return a design whose parts are shrunk."""
    architecture = made.architecture
    parts = {field.name: shrunk(getattr(architecture, field.name)) for field in dataclasses.fields(architecture)}
    return dataclasses.replace(made, architecture=dataclasses.replace(architecture, **parts))


def hosted(part: Part) -> Design:
    """Return a small design that has ``part`` in the place of its kind."""
    made = design(HOSTS[part.kind])
    if part.kind == "penalty":
        return small(dataclasses.replace(made, objective=dataclasses.replace(made.objective, penalties=(part,))))
    if part.kind in ("corruption", "bound"):
        return small(dataclasses.replace(made, objective=dataclasses.replace(made.objective, **{part.kind: part})))
    architecture = dataclasses.replace(made.architecture, **{part.kind: part})
    if part.kind == "encoder":
        architecture = design("cae", {"encoder": str(part)}).architecture
    return small(dataclasses.replace(made, architecture=architecture))


@functools.cache
def _missing_extra(made: Design, shape: tuple[int, int, int]) -> str | None:
    try:
        made.architecture.build(PixelFormat(*shape, "uint8", 0, 255))
    except UserError as error:
        if "pip install" in str(error):
            return str(error)
        raise
    return None


def built(made: Design, shape: tuple[int, int, int], dtype: str = "float32", high: float = 1.0) -> Autoencoder:
    """Return the model, or skip the test where it needs a package that is not installed."""
    missing = _missing_extra(made, shape)
    if missing:
        pytest.skip(missing)
    return made.architecture.build(PixelFormat(*shape, dtype, 0, high), seed=3)


def train(made: Design, model: Autoencoder, pixels: Tensor, steps: int, rate: float = 3e-3) -> set[str]:
    """Take steps of Adam; return the names of the parameters that had a gradient other than zero."""
    model.train()
    optimizer = torch.optim.Adam(model.parameters(), rate)
    reached: set[str] = set()
    for step in range(steps):
        torch.manual_seed(step)
        terms = made.objective(model, pixels, None, noise(len(pixels), step), progress=step / steps)
        optimizer.zero_grad()
        terms["loss"].mean().backward()
        optimizer.step()
        reached |= {name for name, p in model.named_parameters() if p.grad is not None and bool((p.grad != 0).any())}
    return reached


def check_spec(registry: Registry, name: str) -> None:
    """A part comes back from its JSON and from its text, and is described without being imported."""
    part = registry.make(name)
    assert part.kind == registry.kind
    assert registry.make(json.loads(json.dumps(part.to_json()))) == part
    assert registry.make(str(part)) == part
    assert hash(part) == hash(registry.make(name))
    described = registry.describe(name)
    assert described.summary, "the first line of the file says what the part is"
    fields = [(field.name, str(field.type), field.default) for field in dataclasses.fields(part)]
    assert [(field, kind, eval(default)) for field, kind, default in described.fields] == fields
    with pytest.raises(UserError, match=f"{name} has no option 'nonsense'"):
        registry.make(name, nonsense=1)


def check_terms(made: Design, shape: tuple[int, int, int]) -> None:
    """The objective gives the terms it announces, one finite number for each image, and repeats them."""
    model = built(made, shape).eval()
    pixels = images(shape)
    terms = made.objective(model, pixels, None, noise())
    assert set(terms) == {"loss", *made.objective.term_names(made.architecture)}
    for name, term in terms.items():
        assert term.shape == (len(pixels),), name
        assert term.dtype == torch.float32, name
        assert bool(torch.isfinite(term).all()), name
    again = made.objective(model, pixels, None, noise())
    assert all(torch.equal(terms[name], again[name]) for name in terms)
    judged = made.objective.evaluate(model, pixels, None, noise())
    assert judged["mse"].shape == (len(pixels),)
    with torch.inference_mode():
        assert torch.allclose(made.objective(model, pixels, None, noise())["loss"], terms["loss"], atol=1e-4)


def check_shapes(made: Design, shape: tuple[int, int, int]) -> None:
    """Code, reconstruction and samples have the shapes that the contracts name."""
    model = built(made, shape).eval()
    pixels = images(shape)
    with torch.no_grad():
        code = model.encode(pixels, noise())
        assert code.z.shape == (len(pixels), *model.code_shape)
        assert (code.posterior is not None) == made.architecture.bottleneck.stochastic
        assert set(code.terms) == set(made.architecture.bottleneck.term_names)
        assert all(len(term) == len(pixels) for term in code.terms.values())
        restored = model(pixels)
        assert restored.shape == pixels.shape
        assert restored.dtype == torch.float32
        assert 0 <= restored.min() <= restored.max() <= 1
        several = torch.stack([code.z, code.z])
        assert torch.allclose(model.decode(several)[1], model.decode(code.z), atol=1e-5)
        nearest = model.bottleneck.nearest(code.z)
        assert torch.allclose(nearest, code.z, atol=1e-5), "a code of the bottleneck is a valid one"
        samples = model.sample(4, seed=1)
        assert samples.shape == (4, *shape)
        assert torch.equal(samples, model.sample(4, seed=1))
        assert torch.allclose(samples[:2], model.sample(2, seed=1), atol=1e-5)


def check_gradients(made: Design, shape: tuple[int, int, int]) -> None:
    """Within three steps every parameter has had a gradient."""
    model = built(made, shape)
    reached = train(made, model, images(shape), steps=3)
    assert set(dict(model.named_parameters())) == reached


def check_evaluation(made: Design, shape: tuple[int, int, int]) -> None:
    """Evaluation is deterministic, changes nothing in the model, and treats each image by itself."""
    model = built(made, shape)
    pixels = images(shape)
    train(made, model, pixels, steps=2)
    model.eval()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    with torch.no_grad():
        first, second = model(pixels), model(pixels)
        assert torch.equal(first, second)
        alone = torch.cat([model(pixels[index : index + 1]) for index in range(len(pixels))])
        assert torch.allclose(first, alone, atol=1e-4)
    made.objective.evaluate(model, pixels, None, noise())
    after = model.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)


def check_saved(made: Design, shape: tuple[int, int, int], folder: Path) -> None:
    """What is saved after training and loaded again is the same to the bit."""
    model = built(made, shape)
    pixels = images(shape)
    train(made, model, pixels, steps=2)
    save_model(folder, model)
    loaded = load_model(folder)
    assert loaded.architecture == made.architecture
    model.eval()
    with torch.no_grad():
        assert torch.equal(loaded(pixels), model(pixels))
        assert torch.equal(loaded.sample(3), model.sample(3))


def check_corruption(part: Part, shape: tuple[int, int, int], dtype: torch.dtype = torch.float32) -> None:
    """A corruption repeats, is each image's own, tells the truth about what it changed, and leaves the clean alone."""
    pixels = images(shape).to(dtype)
    clean = pixels.clone()
    corrupted, changed = part(pixels, noise(6, "c"))
    assert torch.equal(pixels, clean)
    assert corrupted.shape == changed.shape == pixels.shape
    assert corrupted.dtype == dtype
    assert changed.dtype == torch.bool
    assert corrupted.device == pixels.device
    assert torch.equal(corrupted[~changed], pixels[~changed])
    again, mask = part(pixels, noise(6, "c"))
    assert torch.equal(corrupted, again)
    assert torch.equal(changed, mask)
    order = torch.tensor([3, 0, 5, 1])
    some, _ = part(pixels[order], Noise(0, 100 + order, "c"))
    assert torch.equal(some, corrupted[order]), "an image's corruption depends on its id alone"
    other, _ = part(pixels, noise(6, "d"))
    assert not bool(changed.any()) or not torch.equal(corrupted, other)


def check_augmentation(part: Part, shape: tuple[int, int, int], dtype: torch.dtype = torch.float32) -> None:
    """An augmentation keeps shape, dtype, device and range, repeats, is each image's own, and leaves its input alone."""
    pixels = images(shape).to(dtype)
    given = pixels.clone()
    changed = part(pixels, noise(6, "a"))
    assert torch.equal(pixels, given)
    assert (changed.shape, changed.dtype, changed.device) == (pixels.shape, dtype, pixels.device)
    assert pixels.min() - 1e-6 <= changed.min() <= changed.max() <= pixels.max() + 1e-6
    assert torch.equal(changed, part(pixels, noise(6, "a")))
    order = torch.tensor([3, 0, 5, 1])
    assert torch.equal(part(pixels[order], Noise(0, 100 + order, "a")), changed[order]), "it depends on the id alone"
    other = part(pixels, noise(6, "b"))
    assert (part.name == "none") == torch.equal(changed, other)
    flat = torch.full_like(pixels, 0.25)
    assert torch.allclose(part(flat, noise(6, "a")), flat, atol=1e-6)


def check_likelihood(part: Part, shape: tuple[int, int, int]) -> None:
    """A likelihood gives log p for each pixel, its mean in [0, 1], and sums over an image or a mask of it."""
    pixels = (images(shape) * 255).round() / 255
    channels = part.channels(shape[0])
    parameters = noise(6, "p").normal(2, channels, *shape[1:]).transpose(0, 1).clone().requires_grad_()
    log_prob = part.log_prob(parameters, pixels)
    assert log_prob.shape == (2, *pixels.shape)
    assert bool(torch.isfinite(log_prob).all())
    mean = part.mean(parameters)
    assert mean.shape == (2, *pixels.shape)
    assert 0 <= mean.min() <= mean.max() <= 1
    total = part.per_image(parameters, pixels)
    assert torch.allclose(total, log_prob.double().sum((2, 3, 4)).float(), rtol=1e-5)
    left = torch.zeros_like(pixels)
    left[..., : shape[2] // 2] = 1
    parts = part.per_image(parameters, pixels, left) + part.per_image(parameters, pixels, 1 - left)
    assert torch.allclose(parts, total, rtol=1e-4)
    total.sum().backward()
    assert bool((parameters.grad != 0).any(0).any(0).flatten(1).all())
    for extreme in (-30.0, 30.0):
        far = torch.full_like(parameters, extreme)
        assert bool(torch.isfinite(part.log_prob(far, pixels)).all())
    seen = part.observe(pixels, noise(6, "o"))
    assert seen.shape == pixels.shape
    assert 0 <= seen.min() <= seen.max() <= 1


def check_prior(part: Part, shape: tuple[int, int, int], code_shape: tuple[int, ...]) -> None:
    """A prior gives one log density for each code and samples that are each id's own."""
    options = {"spatial": len(code_shape) == 3, "latent_dim": code_shape[0]}
    made = small(design("vae", {**options, "prior": str(part)}))
    model = built(made, shape).eval()
    z = noise(6, "z").normal(2, *model.code_shape).transpose(0, 1)
    with torch.no_grad():
        log_prob = model.prior.log_prob(z, model)
        assert log_prob.shape == (2, 6)
        assert torch.allclose(log_prob[1], model.prior.log_prob(z[1], model), atol=1e-4)
        drawn = model.prior.sample(noise(6, "s"), model)
        assert drawn.shape == (6, *model.code_shape)
        order = torch.tensor([4, 1])
        assert torch.allclose(model.prior.sample(Noise(0, 100 + order, "s"), model), drawn[order], atol=1e-5)
        code = model.encode(images(shape), noise(6, "q"))
        kl = model.prior.kl(code.posterior, code.z, model)
        assert kl.shape in ((6,), (6, *model.code_shape))


def check_penalty(part: Part, shape: tuple[int, int, int]) -> None:
    """A penalty is finite, repeats, moves the encoder, and has a value without gradients, too."""
    made = hosted(part)
    model = built(made, shape)
    pixels = images(shape)
    view = View(model, pixels, pixels, None, noise(6, "code"), 1.0, {})
    value = part(view, model.encode(pixels))
    assert value.shape in ((), (6,))
    value.sum().backward()
    assert any(p.grad is not None and bool((p.grad != 0).any()) for p in model.encoder.parameters())
    with torch.inference_mode():
        again = part(dataclasses.replace(view, noise=noise(6, "code")), model.encode(pixels))
    assert torch.allclose(value.detach(), again, rtol=1e-4, atol=1e-6)
