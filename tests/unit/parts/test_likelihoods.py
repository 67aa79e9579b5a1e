from __future__ import annotations

import math

import pytest
import torch
import torch.distributions as D

from latentia.core.noise import Noise
from latentia.parts import LIKELIHOODS

SHAPE = (6, 3, 7, 5)
PARAMETERS = Noise(0, torch.arange(6), "parameters").normal(3, 7, 5) * 3
SCALES = Noise(0, torch.arange(6), "scales").normal(3, 7, 5)
PIXELS = (Noise(0, torch.arange(6), "pixels").uniform(3, 7, 5) * 255).round() / 255
BOTH = torch.cat([PARAMETERS, SCALES], dim=1)


def logistic_mass(levels=256):
    location = torch.sigmoid(PARAMETERS).double()
    scale = (-3 + 4 * torch.tanh(SCALES / 4)).exp().double()
    logistic = D.TransformedDistribution(
        D.Uniform(torch.zeros(SHAPE).double(), 1.0, validate_args=False),
        [D.SigmoidTransform().inv, D.AffineTransform(location, scale)],
        validate_args=False,
    )
    level, top = (PIXELS * (levels - 1)).round().double(), levels - 1
    above = torch.where(level == top, torch.ones(()), logistic.cdf((level + 0.5) / top))
    below = torch.where(level == 0, torch.zeros(()), logistic.cdf((level - 0.5) / top))
    return (above - below).log().float()


CASES = {
    "bernoulli": (PARAMETERS, lambda: D.Bernoulli(logits=PARAMETERS, validate_args=False).log_prob(PIXELS)),
    "continuous-bernoulli": (
        PARAMETERS,
        lambda: D.ContinuousBernoulli(logits=PARAMETERS.double()).log_prob(PIXELS.double()),
    ),
    "squared-error": (PARAMETERS, lambda: D.Normal(torch.sigmoid(PARAMETERS), math.sqrt(0.5)).log_prob(PIXELS)),
    "absolute-error": (PARAMETERS, lambda: D.Laplace(torch.sigmoid(PARAMETERS), 1.0).log_prob(PIXELS)),
    "gaussian": (PARAMETERS, lambda: D.Normal(torch.sigmoid(PARAMETERS), math.sqrt(0.05)).log_prob(PIXELS)),
    "gaussian:variance=0.3": (PARAMETERS, lambda: D.Normal(torch.sigmoid(PARAMETERS), math.sqrt(0.3)).log_prob(PIXELS)),
    "gaussian:variance=learned": (
        BOTH,
        lambda: D.Normal(torch.sigmoid(PARAMETERS), (0.5 * (-3 + 6 * torch.tanh(SCALES / 6))).exp()).log_prob(PIXELS),
    ),
    "discretised-logistic": (BOTH, logistic_mass),
}


@pytest.mark.parametrize("text", CASES)
def test_agrees_with_torch_distributions(text):
    parameters, expected = CASES[text]
    likelihood = LIKELIHOODS.make(text)
    assert parameters.shape[1] == likelihood.channels(3)
    # in float64, for torch's own forms lose digits in float32
    found, reference = likelihood.log_prob(parameters.double(), PIXELS.double()), expected().double()
    known = reference > -15  # further out, a difference of two distribution functions is rounding error
    assert known.double().mean() > 0.5
    assert torch.allclose(found[known], reference[known], rtol=1e-5, atol=1e-5)
    single = likelihood.log_prob(parameters, PIXELS)
    assert torch.allclose(single.double(), found, rtol=1e-4, atol=1e-4)
    assert torch.allclose(likelihood.per_image(parameters, PIXELS).double(), found.sum((1, 2, 3)), rtol=1e-5)


def test_squared_error_is_the_summed_squared_error():
    likelihood = LIKELIHOODS.make("squared-error")
    summed = (torch.sigmoid(PARAMETERS) - PIXELS).square().sum((1, 2, 3))
    constant = 0.5 * math.log(math.pi) * 3 * 7 * 5
    assert torch.allclose(-likelihood.per_image(PARAMETERS, PIXELS), summed + constant, rtol=1e-5)


def test_continuous_bernoulli_through_its_removable_singularity():
    logits = torch.linspace(-0.3, 0.3, 2001).view(1, 1, 1, -1).double()
    likelihood = LIKELIHOODS.make("continuous-bernoulli")
    exact = D.ContinuousBernoulli(logits=logits, lims=(0.4999, 0.5001))
    pixels = torch.full_like(logits, 0.7)
    assert torch.allclose(likelihood.log_prob(logits, pixels), exact.log_prob(pixels), atol=1e-7)
    assert torch.allclose(likelihood.mean(logits), exact.mean, atol=1e-7)
    near = torch.zeros(1, 1, 1, 1, requires_grad=True)
    likelihood.log_prob(near, torch.ones_like(near)).sum().backward()
    assert near.grad.item() == pytest.approx(0.5)


def test_masses_of_the_discretised_logistic_sum_to_one():
    likelihood = LIKELIHOODS.make("discretised-logistic:levels=16")
    parameters = torch.tensor([[0.3, -2.0], [4.0, 3.0], [-8.0, -9.0]]).view(3, 2, 1, 1)
    total = sum(likelihood.log_prob(parameters, torch.full((3, 1, 1, 1), level / 15)).exp() for level in range(16))
    assert torch.allclose(total, torch.ones_like(total), atol=1e-5)


def test_bernoulli_binarises():
    pixels = torch.full((1000, 1, 4, 4), 0.3)
    dynamic = LIKELIHOODS.make("bernoulli:binarise=dynamic")
    drawn = dynamic.observe(pixels, Noise(0, torch.arange(1000), "a"))
    assert set(drawn.unique().tolist()) == {0.0, 1.0}
    assert float(drawn.mean()) == pytest.approx(0.3, abs=5 * math.sqrt(0.21 / 16000))
    assert not torch.equal(drawn, dynamic.observe(pixels, Noise(0, torch.arange(1000), "b")))
    whole = LIKELIHOODS.make("bernoulli:binarise=threshold").observe(PIXELS, Noise(0, torch.arange(6)))
    assert torch.equal(whole, (PIXELS >= 0.5).float())
