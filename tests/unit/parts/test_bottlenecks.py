from __future__ import annotations

import sys

import pytest
import torch

from latentia.core.errors import UserError
from latentia.core.noise import Noise
from latentia.parts import BOTTLENECKS

FEATURES = Noise(0, torch.arange(8), "features").normal(12, 4, 3)


def build(text):
    torch.manual_seed(0)
    return BOTTLENECKS.make(text).build((12, 4, 3))


def test_gaussian_samples_have_the_posteriors_moments():
    module = build("gaussian:latent_dim=3")
    code = module(FEATURES[:1].expand(20000, -1, -1, -1), Noise(0, torch.arange(20000), "code"))
    assert torch.allclose(code.z.mean(0), code.posterior.mean[0], atol=0.05)
    assert torch.allclose(code.z.std(0), code.posterior.log_std[0].exp(), rtol=0.05)
    assert torch.equal(module(FEATURES).z, module(FEATURES).posterior.mean)


def test_k_sparse_keeps_the_largest():
    module = build("k-sparse:latent_dim=20,k=5,alpha=1.4")
    dense = module.project(FEATURES)
    code = module(FEATURES).z
    assert torch.equal((code != 0).sum(1), torch.full((8,), 5))
    assert torch.allclose(code.sum(1), dense.topk(5, dim=1).values.sum(1))
    module.eval()
    assert torch.equal((module(FEATURES).z != 0).sum(1), torch.full((8,), 7))


def test_winner_takes_all_of_its_map():
    code = build("winner-take-all:latent_dim=6")(FEATURES).z
    assert int((code.flatten(2) > 0).sum(2).max()) == 1
    assert code.min() == 0


def test_lifetime_sparsity_over_the_batch_while_training():
    module = build("winner-take-all:latent_dim=6,spatial=false,lifetime=0.25")
    active = (module(FEATURES).z > 0).sum(0)
    assert int(active.max()) <= 2
    module.eval()
    assert int((module(FEATURES).z > 0).sum(0).max()) > 2


def test_deterministic_with_relu_has_exact_zeros():
    code = build("deterministic:latent_dim=30,relu=true")(FEATURES).z
    assert code.min() == 0 and 0 < float((code == 0).float().mean()) < 1


def test_vq_takes_the_nearest_vector_and_passes_gradients_straight_through():
    pytest.importorskip("vector_quantize_pytorch")
    module = build("vq:latent_dim=5,codebook_size=7").eval()
    features = FEATURES.clone().requires_grad_()
    code = module(features)
    continuous = module.project(features)
    distances = (continuous.unsqueeze(1) - module.quantiser.codebook.view(1, 7, 5, 1, 1)).square().sum(2)
    nearest = module.quantiser.codebook[distances.argmin(1)].movedim(-1, 1)
    assert torch.allclose(code.z, nearest, atol=1e-6)
    expected = (continuous - nearest).square().sum((1, 2, 3))
    assert torch.allclose(code.terms["commitment"], expected, rtol=1e-5)
    (through,) = torch.autograd.grad(code.z.sum(), features, retain_graph=True)
    (direct,) = torch.autograd.grad(continuous.sum(), features)
    assert torch.allclose(through, direct, atol=1e-6)


def test_vq_follows_the_codes_while_training_alone_and_repeats_under_a_seed():
    pytest.importorskip("vector_quantize_pytorch")
    books = []
    for _ in range(2):
        module = build("vq:latent_dim=5,codebook_size=64,revive=2")
        for step in range(3):
            torch.manual_seed(step)
            module(FEATURES)
        books.append(module.quantiser.codebook.clone())
    assert torch.equal(books[0], books[1])
    module.eval()
    module(FEATURES)
    assert torch.equal(module.quantiser.codebook, books[1])


def test_fsq_codes_lie_on_the_grid():
    pytest.importorskip("vector_quantize_pytorch")
    module = build("fsq:levels=(8,5,3)").eval()
    many = 4 * Noise(0, torch.arange(300), "many").normal(12, 4, 3)
    code = module(many).z
    assert [len(code[:, channel].unique()) for channel in range(3)] == [8, 5, 3]
    assert torch.equal(module.nearest(code), code)
    moved = module.nearest(code + 0.05)
    assert torch.equal(moved, code)
    assert torch.equal(module.nearest(code * 10).abs() <= 1, torch.ones_like(code, dtype=torch.bool))


@pytest.mark.parametrize("name", ["vq", "fsq"])
def test_missing_package_is_named(name, monkeypatch):
    monkeypatch.setitem(sys.modules, "vector_quantize_pytorch", None)
    message = (
        rf"the bottleneck '{name}' needs the package vector-quantize-pytorch, .*: pip install \"latentia\[quantise\]\""
    )
    with pytest.raises(UserError, match=message):
        build(name)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("k-sparse:latent_dim=4,k=5", r"k-sparse.k is 5, but it must be between 1 and latent_dim \(4\)"),
        ("winner-take-all:spatial=false", "winner-take-all.lifetime is 1.0, but it must be below 1 for a vector"),
        ("fsq:levels=2x5", "fsq.levels is .2, 5., but it must be numbers of 3 or more"),
        ("vq:codebook_size=1", "vq.codebook_size is 1, but it must be at least 2"),
    ],
)
def test_errors(text, message):
    with pytest.raises(UserError, match=message):
        BOTTLENECKS.make(text)
