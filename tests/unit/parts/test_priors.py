from __future__ import annotations

import math
import sys

import pytest
import torch
import torch.distributions as D

from latentia.core.errors import UserError
from latentia.core.noise import Noise
from latentia.data.imageset import PixelFormat
from latentia.parts import PRIORS
from latentia.parts.code import DiagonalNormal
from latentia.presets import design

POSTERIOR = DiagonalNormal(
    Noise(0, torch.arange(9), "mean").normal(7), 0.7 * Noise(0, torch.arange(9), "log std").normal(7)
)


def model_with(prior, latent_dim=2, **options):
    made = design("vae", {"prior": prior, "latent_dim": latent_dim, "widths": "8x8", **options})
    return made.architecture.build(PixelFormat(1, 8, 8, "float32", 0, 1), seed=1).eval()


def test_kl_agrees_with_torch_distributions():
    expected = D.kl_divergence(D.Normal(POSTERIOR.mean, POSTERIOR.log_std.exp()), D.Normal(0.0, 1.0))
    assert torch.allclose(POSTERIOR.kl_to_standard_normal(), expected, rtol=1e-5, atol=1e-5)
    prior = PRIORS.make("standard-normal").build((7,), (1, 8, 8))
    assert torch.allclose(prior.kl(POSTERIOR, POSTERIOR.mean, None), expected, rtol=1e-5, atol=1e-5)


def test_posterior_log_prob_agrees_with_torch_distributions():
    z = POSTERIOR.rsample(Noise(0, torch.arange(9), "z"), 4)
    expected = D.Normal(POSTERIOR.mean, POSTERIOR.log_std.exp()).log_prob(z)
    assert torch.allclose(POSTERIOR.log_prob(z), expected, atol=1e-5)


def test_standard_normal_log_prob_agrees_with_torch_distributions():
    z = Noise(0, torch.arange(5), "z").normal(3, 2, 2)
    prior = PRIORS.make("standard-normal").build((3, 2, 2), (1, 8, 8))
    assert torch.allclose(prior.log_prob(z, None), D.Normal(0.0, 1.0).log_prob(z).sum((1, 2, 3)), atol=1e-5)


def test_one_sample_kl_has_the_analytic_one_as_its_mean():
    """Every prior without a closed form takes this way; a mixture of one component has both."""
    prior = PRIORS.make("gaussian-mixture:components=1").build((7,), (1, 8, 8))
    count = 4000
    many = DiagonalNormal(POSTERIOR.mean[:1].expand(count, -1), POSTERIOR.log_std[:1].expand(count, -1))
    z = many.rsample(Noise(0, torch.arange(count), "z"))
    with torch.no_grad():
        estimates = prior.kl(many, z, None)
        exact = D.kl_divergence(
            D.Normal(POSTERIOR.mean[0], POSTERIOR.log_std[0].exp()), D.Normal(prior.mean[0], prior.log_std[0].exp())
        ).sum()
    assert abs(float(estimates.mean() - exact)) < 5 * float(estimates.std()) / math.sqrt(count)


def test_mixture_agrees_with_torch_distributions():
    torch.manual_seed(0)
    prior = PRIORS.make("gaussian-mixture:components=4").build((3,), (1, 8, 8))
    with torch.no_grad():
        prior.logits.normal_()
        prior.log_std.normal_(std=0.3)
        z = 2 * Noise(0, torch.arange(50), "z").normal(3)
        mixture = D.MixtureSameFamily(
            D.Categorical(logits=prior.logits), D.Independent(D.Normal(prior.mean, prior.log_std.exp()), 1)
        )
        assert torch.allclose(prior.log_prob(z, None), mixture.log_prob(z), atol=1e-5)
        drawn = prior.sample(Noise(0, torch.arange(20000), "s"), None)
        assert torch.allclose(drawn.mean(0), mixture.mean, atol=0.06)
        assert torch.allclose(drawn.var(0), mixture.variance, rtol=0.06)


def test_vamp_is_the_mean_of_its_posteriors():
    model = model_with("vamp:components=6", latent_dim=3)
    z = Noise(0, torch.arange(5), "z").normal(3)
    with torch.no_grad():
        posterior = model.encode(torch.sigmoid(model.prior.raw)).posterior
        each = D.Independent(D.Normal(posterior.mean, posterior.log_std.exp()), 1).log_prob(z.unsqueeze(1))
        expected = torch.logsumexp(each, 1) - math.log(6)
        assert torch.allclose(model.prior.log_prob(z, model), expected, atol=1e-5)


def test_vamp_needs_a_posterior():
    made = design("cae", {"prior": "vamp:components=2"})
    model = made.architecture.build(PixelFormat(1, 8, 8, "float32", 0, 1))
    with pytest.raises(UserError, match="the prior 'vamp' is made of posteriors, but the bottleneck has none"):
        model.sample(1)


@pytest.mark.parametrize("coupling", ["affine", "spline"])
def test_flow_is_a_density_and_samples_from_it(coupling):
    pytest.importorskip("zuko")
    model = model_with(f"flow:coupling={coupling},hidden=16")
    with torch.no_grad():
        for parameter in model.prior.parameters():
            parameter.mul_(1.5)
        side = torch.linspace(-16, 16, 641)
        grid = torch.cartesian_prod(side, side)
        log_prob = model.prior.log_prob(grid, model)
        cell = float(side[1] - side[0]) ** 2
        assert float(log_prob.exp().sum()) * cell == pytest.approx(1.0, abs=5e-3)
        mean = (log_prob.exp().unsqueeze(1) * grid).sum(0) * cell
        drawn = model.prior.sample(Noise(0, torch.arange(20000), "s"), model)
        assert torch.allclose(drawn.mean(0), mean, atol=0.05)
        entropy = -float((log_prob.exp() * log_prob).sum()) * cell
        assert -float(model.prior.log_prob(drawn, model).mean()) == pytest.approx(entropy, abs=0.05)


def test_flow_errors(monkeypatch):
    with pytest.raises(UserError, match="couples units with one another, but latent_dim is 1: choose at least 2"):
        model_with("flow", latent_dim=1)
    monkeypatch.setitem(sys.modules, "zuko", None)
    with pytest.raises(
        UserError, match=r"the prior 'flow' needs the package zuko, .*: pip install \"latentia\[flows\]\""
    ):
        model_with("flow")
