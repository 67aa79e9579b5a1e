"""The estimate is held against models whose log-likelihood is known exactly: linear-Gaussian, that is probabilistic PCA."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
import torch
import torch.distributions as D
from torch import nn

from latentia.core.errors import UserError
from latentia.core.noise import Noise
from latentia.data.imageset import PixelFormat, from_array
from latentia.model import Architecture
from latentia.parts import BOTTLENECKS, PRIORS
from latentia.parts.base import Decoder, Encoder, Likelihood
from latentia.presets import design
from latentia.tasks.density import log_likelihood

SIDE, UNITS, DEVIATION, COUNT = 3, 2, 0.2, 24


@dataclasses.dataclass(frozen=True)
class Pixels(Encoder):
    """Hands the pixels on."""

    name = "pixels"
    multiple = 1

    def feature_shape(self, image_shape):
        return image_shape

    def build(self, image_shape):
        return nn.Identity()


@dataclasses.dataclass(frozen=True)
class Affine(Decoder):
    """W z + mean."""

    name = "affine"
    multiple = 1

    def build(self, code_shape, output_shape):
        return nn.Sequential(nn.Linear(math.prod(code_shape), math.prod(output_shape)), nn.Unflatten(1, output_shape))


@dataclasses.dataclass(frozen=True)
class Normal(Likelihood):
    """N(x; parameters, DEVIATION), without the sigmoid of the registered ones."""

    name = "normal"

    def mean(self, parameters):
        return parameters

    def log_prob(self, parameters, pixels):
        return D.Normal(parameters, DEVIATION).log_prob(pixels)


def ppca(stretch=1.0, shift=0.0, prior="standard-normal"):
    """Return the model, images from it, and their exact log p(x).

    The columns of W are orthogonal, so that the exact posterior has independent units; the model's is ``stretch`` times as
    wide and ``shift`` of its deviations off.
    """
    bottleneck = BOTTLENECKS.make("gaussian", latent_dim=UNITS, hidden=0)
    architecture = Architecture(Pixels(), bottleneck, Affine(), Normal(), PRIORS.make(prior))
    model = architecture.build(PixelFormat(1, SIDE, SIDE, "float32", 0, 1))
    basis = torch.linalg.qr(Noise(0, torch.arange(SIDE * SIDE), "basis").normal(UNITS).double())[0]
    weight, mean = basis * torch.tensor([0.5, 0.3]).double(), torch.full((SIDE * SIDE,), 0.5).double()
    precision = 1 + weight.square().sum(0) / DEVIATION**2
    deviation = precision.rsqrt()
    encode = (weight / DEVIATION**2 / precision).T
    with torch.no_grad():
        model.decoder[0].weight.copy_(weight)
        model.decoder[0].bias.copy_(mean)
        linear = model.bottleneck.project[-1]
        linear.weight.zero_()
        linear.weight[:UNITS] = encode
        linear.bias[:UNITS] = shift * deviation - encode @ mean
        linear.bias[UNITS:] = 7 * torch.atanh((stretch * deviation).log() / 7)
    covariance = weight @ weight.T + DEVIATION**2 * torch.eye(SIDE * SIDE)
    marginal = D.MultivariateNormal(mean, covariance)
    x = mean + Noise(0, torch.arange(COUNT), "x").normal(SIDE * SIDE) @ torch.linalg.cholesky(covariance).float().T
    images = from_array(x.float().clamp(0, 1).view(COUNT, 1, SIDE, SIDE).numpy())
    return model, images, marginal.log_prob(x.clamp(0, 1).double()).numpy()


def test_the_exact_posterior_gives_the_exact_likelihood_from_one_sample():
    model, images, exact = ppca()
    found = log_likelihood(model, images, samples=1)
    assert np.allclose(found.log_likelihood, exact, atol=1e-4)
    assert np.allclose(found.elbo, exact, atol=1e-4)


@pytest.mark.parametrize(("stretch", "shift"), [(1.5, 0.0), (1.3, 0.7), (0.9, 0.3)])
def test_the_estimate_agrees_within_its_error(stretch, shift):
    model, images, exact = ppca(stretch, shift)
    found = log_likelihood(model, images, samples=5000)
    assert found.samples == 5000
    assert (found.standard_error < 0.1).all()
    scaled = (found.log_likelihood - exact) / found.standard_error
    assert np.abs(scaled).max() < 5
    assert 0.5 < np.sqrt(np.mean(scaled**2)) < 1.6, "the error that is stated is the error that is made"


def test_elbo_bound_and_curve_stand_in_order():
    model, images, exact = ppca(1.5, 1.0)
    found = log_likelihood(model, images, samples=1000)
    assert (found.elbo < found.log_likelihood).all()
    assert found.elbo.mean() < exact.mean() - 0.1
    ks, bounds = zip(*found.curve, strict=True)
    assert ks == (1, 10, 100, 1000)
    assert list(bounds) == sorted(bounds)
    assert bounds[0] == pytest.approx(found.elbo.mean())
    assert bounds[-1] == pytest.approx(found.log_likelihood.mean())
    assert np.allclose(found.elbo, -found.rate - found.distortion)


def test_rate_is_the_kl():
    model, images, _ = ppca(1.5, 1.0)
    found = log_likelihood(model, images, samples=5000)
    posterior = model.encode(torch.from_numpy(images.pixels)).posterior
    kl = posterior.kl_to_standard_normal().sum(1).detach().numpy()
    assert np.allclose(found.rate, kl, atol=0.1)
    assert found.rate.mean() == pytest.approx(kl.mean(), abs=0.02)


def test_the_result_depends_neither_on_the_chunk_nor_on_the_other_images():
    model, images, _ = ppca(1.5)
    whole = log_likelihood(model, images, samples=200, chunk=10_000)
    small = log_likelihood(model, images, samples=200, chunk=60)
    some = log_likelihood(model, images.select([5, 2]), samples=200)
    assert np.allclose(whole.log_likelihood, small.log_likelihood, atol=1e-4)
    assert np.allclose(whole.log_likelihood[[5, 2]], some.log_likelihood, atol=1e-4)
    other = log_likelihood(model, images, samples=200, seed=1)
    assert not np.allclose(whole.log_likelihood, other.log_likelihood, atol=1e-4)


def test_another_prior_counts():
    model, images, _ = ppca(1.2, prior="gaussian-mixture:components=1")
    with torch.no_grad():
        model.prior.mean.copy_(torch.tensor([[0.5, -0.5]]))
        model.prior.log_std.fill_(math.log(0.8))
        weight, mean = model.decoder[0].weight.double(), model.decoder[0].bias.double()
    covariance = 0.64 * weight @ weight.T + DEVIATION**2 * torch.eye(SIDE * SIDE)
    marginal = D.MultivariateNormal(mean + weight @ torch.tensor([0.5, -0.5]).double(), covariance)
    exact = marginal.log_prob(torch.from_numpy(images.pixels).double().flatten(1)).numpy()
    found = log_likelihood(model, images, samples=5000)
    assert np.abs((found.log_likelihood - exact) / found.standard_error).max() < 5


def test_units_that_ignore_the_image_are_not_active():
    model, images, _ = ppca()
    assert log_likelihood(model, images, samples=1).active_units == UNITS
    with torch.no_grad():
        model.bottleneck.project[-1].weight[1] = 0
    found = log_likelihood(model, images, samples=1)
    assert found.active_units == 1
    assert "active units    1 of 2" in str(found)
    assert found.to_json()["active_units"] == 1


def test_a_vae_of_images_and_its_text():
    made = design("vae", {"widths": "8x8", "latent_dim": 3, "binarise": "dynamic"})
    pixels = (Noise(0, torch.arange(5), "images").uniform(1, 8, 8) * 255).byte().numpy()
    model = made.architecture.build(PixelFormat(1, 8, 8, "uint8", 0, 255)).train()
    found = log_likelihood(model, from_array(pixels), samples=60)
    assert found.samples == 100
    assert model.training
    assert "5 images, 100 samples of the code for each" in str(found)
    assert "K=1 " in str(found) and "K=100 " in str(found)


def test_errors():
    pixels = from_array(np.zeros((2, 8, 8), np.uint8))
    cae = design("cae").architecture.build(pixels.format)
    with pytest.raises(
        UserError, match="needs a posterior, but the bottleneck 'deterministic' has none: train a preset"
    ):
        log_likelihood(cae, pixels)
    vae = design("vae").architecture.build(pixels.format)
    with pytest.raises(UserError, match="samples is 0 and chunk 2000, but both must be at least 1"):
        log_likelihood(vae, pixels, samples=0)
