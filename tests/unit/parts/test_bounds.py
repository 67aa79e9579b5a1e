from __future__ import annotations

import dataclasses
import math

import pytest
import torch

from latentia.core.errors import UserError
from latentia.core.noise import Noise
from latentia.data.imageset import PixelFormat
from latentia.parts import BOUNDS
from latentia.parts.base import View
from latentia.presets import design

PIXELS = Noise(0, torch.arange(6), "pixels").uniform(1, 8, 8)


def model_with(**options):
    made = design("vae", {"latent_dim": 3, "widths": "8x8", **options})
    return made.architecture.build(PixelFormat(1, 8, 8, "float32", 0, 1), seed=1)


def view(model, pixels=PIXELS, seed=0, progress=1.0, weights=None):
    return View(model, pixels, pixels, None, Noise(seed, torch.arange(len(pixels)), "code"), progress, weights or {})


def loss(bound, seen):
    terms, _ = BOUNDS.make(bound)(seen)
    return terms["loss"]


def test_elbo_is_reconstruction_plus_kl():
    model = model_with()
    terms, code = BOUNDS.make("elbo")(view(model))
    assert torch.allclose(terms["loss"], terms["reconstruction"] + terms["kl"])
    assert torch.allclose(terms["kl"], code.posterior.kl_to_standard_normal().sum(1))
    doubled, _ = BOUNDS.make("elbo:beta=2")(view(model, weights={"kl": 3.0, "reconstruction": 0.5}))
    assert torch.allclose(doubled["loss"], 0.5 * terms["reconstruction"] + 6 * terms["kl"], rtol=1e-5)
    assert torch.allclose(doubled["kl"], terms["kl"]), "a term is shown without its factor"


@pytest.mark.parametrize(("progress", "factor"), [(0.0, 0.0), (0.1, 0.5), (0.2, 1.0), (1.0, 1.0)])
def test_warm_up_raises_the_kl(progress, factor):
    terms, _ = BOUNDS.make("elbo:warmup=0.2")(view(model_with(), progress=progress))
    assert torch.allclose(terms["loss"], terms["reconstruction"] + factor * terms["kl"])


def test_free_bits_charge_each_unit_at_least_so_much():
    model = model_with()
    terms, code = BOUNDS.make("elbo:free_bits=0.5")(view(model))
    units = code.posterior.kl_to_standard_normal().mean(0)
    charged = terms["loss"] - terms["reconstruction"]
    assert torch.allclose(charged, units.clamp_min(0.5).sum().expand(6), rtol=1e-4)
    generous = loss("elbo:free_bits=100", view(model)) - terms["reconstruction"]
    assert torch.allclose(generous, torch.full((6,), 300.0), rtol=1e-4)


def test_iwae_with_one_sample_is_the_elbo_of_that_sample():
    model = model_with()
    terms, code = BOUNDS.make("iwae:samples=1")(view(model))
    reconstruction = -model.likelihood.per_image(model.decode_parameters(code.z), PIXELS)
    kl = code.posterior.log_prob(code.z).sum(1) - model.prior.log_prob(code.z, model)
    assert torch.allclose(terms["loss"], reconstruction + kl, rtol=1e-5)
    assert torch.allclose(terms["kl"], kl, atol=1e-5)


def test_more_samples_tighten_the_bound():
    model = model_with()
    with torch.no_grad():
        model.bottleneck.project[-1].bias[:3] += 2.0  # a posterior off its place leaves room to tighten
        many = PIXELS[:1].expand(1000, -1, -1, -1)
        losses = [float(loss(f"iwae:samples={samples}", view(model, many)).mean()) for samples in (1, 5, 25)]
    assert losses[0] > losses[1] + 0.1 > losses[2] + 0.15


def test_dreg_has_the_value_of_iwae_and_the_decoders_gradient():
    model = model_with()
    gradients = {}
    values = {}
    for bound in ("iwae", "dreg"):
        model.zero_grad()
        values[bound] = loss(f"{bound}:samples=7", view(model))
        values[bound].mean().backward()
        gradients[bound] = torch.cat([p.grad.flatten() for p in model.decoder.parameters()])
    assert torch.allclose(values["iwae"], values["dreg"], atol=1e-5)
    assert torch.allclose(gradients["iwae"], gradients["dreg"], atol=1e-5)
    with torch.no_grad():
        assert torch.allclose(loss("dreg:samples=7", view(model)), values["iwae"], atol=1e-5)


def test_dreg_estimates_the_same_gradient_of_the_encoder_with_less_noise():
    model = model_with()
    count, samples = 100, 16
    mean = model.bottleneck.project[-1].bias
    with torch.no_grad():
        mean[:3] += 1.0
    found = {}
    for bound in ("iwae", "dreg"):
        estimates = []
        for repeat in range(40):
            model.zero_grad()
            seen = view(model, PIXELS[:1].expand(count, -1, -1, -1), seed=repeat)
            loss(f"{bound}:samples={samples}", seen).mean().backward()
            estimates.append(mean.grad.clone())
        found[bound] = torch.stack(estimates)
    averages = {bound: estimates.mean(0) for bound, estimates in found.items()}
    spread = {bound: estimates.std(0) for bound, estimates in found.items()}
    error = (spread["iwae"].square() + spread["dreg"].square()).sqrt() / math.sqrt(40)
    assert bool(((averages["iwae"] - averages["dreg"]).abs() < 5 * error + 1e-6).all())
    assert float(spread["dreg"].mean()) < 0.7 * float(spread["iwae"].mean())


@pytest.mark.parametrize("bound", ["iwae", "dreg"])
@pytest.mark.parametrize("prior", ["gaussian-mixture:components=3", "vamp:components=3"])
def test_importance_weights_work_with_any_prior(bound, prior):
    model = model_with(prior=prior)
    terms, _ = BOUNDS.make(bound)(view(model))
    terms["loss"].mean().backward()
    assert all(bool(torch.isfinite(p.grad).all()) for p in model.parameters())


def test_spatial_codes_are_summed_over_their_positions():
    model = model_with(spatial=True)
    several, _ = BOUNDS.make("iwae:samples=1")(view(model))
    terms, _ = BOUNDS.make("elbo")(dataclasses.replace(view(model), noise=Noise(0, torch.arange(6), "code")))
    assert several["kl"].shape == terms["kl"].shape == (6,)


@pytest.mark.parametrize("bound", ["iwae", "dreg"])
def test_a_posterior_is_asked_for_before_training(bound):
    with pytest.raises(
        UserError, match=f"the bound '{bound}' needs a posterior, but the bottleneck 'deterministic' has none"
    ):
        design("cae", {"bound": bound})
