from __future__ import annotations

import numpy as np
import pytest
import torch

from latentia.core.errors import UserError
from latentia.core.noise import Noise
from latentia.data.imageset import PixelFormat, from_array
from latentia.presets import design
from latentia.tasks.embed import embed
from latentia.tasks.generate import generate, has_prior
from latentia.tasks.mixture import FittedMixture, fit_mixture
from latentia.tasks.walk import interpolate, slerp, traverse

FORMAT = PixelFormat(2, 8, 9, "uint8", 0, 255)
IMAGES = from_array((Noise(0, torch.arange(40), "images").uniform(2, 8, 9) * 255).byte().numpy())


def model_of(preset, **options):
    made = design(preset, {"widths": "8x8", **options})
    return made.architecture.build(FORMAT, seed=1), made.objective


def test_images_from_the_prior():
    model, _ = model_of("vae", latent_dim=4)
    made = generate(model, 5, seed=2)
    assert made.images.pixels.shape == (5, 2, 8, 9)
    assert made.images.pixels.dtype == np.uint8
    assert made.codes.shape == (5, 4)
    assert str(made) == "5 images generated from the prior"
    assert np.array_equal(made.codes, generate(model, 300, seed=2).codes[:5]), "an image does not depend on the count"
    assert not np.array_equal(made.codes, generate(model, 5, seed=3).codes)


def test_a_deterministic_autoencoder_draws_from_a_density_fitted_to_its_codes():
    model, _ = model_of("cae", latent_dim=4)
    codes = embed(model, IMAGES)
    made = generate(model, 500, mixture=fit_mixture(codes, components=2))
    assert made.origin == "mixture"
    assert np.allclose(made.codes.mean(0), codes.mean(0), atol=0.3 * codes.std(0))
    assert np.allclose(made.codes.std(0), codes.std(0), rtol=0.3)


def test_a_penalty_that_matches_the_prior_lets_it_be_used():
    model, objective = model_of("wae-mmd", latent_dim=4)
    assert has_prior(model, objective) and not has_prior(model)
    assert generate(model, 3, objective=objective).origin == "prior"


def test_discrete_codes_are_valid_ones():
    pytest.importorskip("vector_quantize_pytorch")
    model, _ = model_of("fsq", levels="5x3")
    made = generate(model, 20, mixture=fit_mixture(embed(model, IMAGES), components=1))
    codes = torch.from_numpy(made.codes).view(20, *model.code_shape)
    assert torch.equal(model.bottleneck.nearest(codes), codes)


@pytest.mark.parametrize("units", [3, 300])
def test_mixture_is_kept_in_a_file_and_repeats(units, tmp_path):
    codes = Noise(0, torch.arange(60), "codes").normal(units).numpy()
    mixture = fit_mixture(codes, components=3, seed=1)
    assert mixture.factors.ndim == (3 if units == 3 else 2)
    mixture.save(tmp_path / "mixture.safetensors")
    loaded = FittedMixture.load(tmp_path / "mixture.safetensors")
    drawn = [each.sample(Noise(0, torch.arange(50), "s")) for each in (mixture, loaded)]
    assert torch.equal(drawn[0], drawn[1])


def test_mixture_samples_have_its_moments():
    factor = torch.tensor([[0.5, 0.0], [0.3, 0.2]])
    mixture = FittedMixture(
        torch.tensor([0.25, 0.75]), torch.tensor([[2.0, 0.0], [-1.0, 1.0]]), torch.stack([factor] * 2)
    )
    drawn = mixture.sample(Noise(0, torch.arange(40000), "s"))
    first = drawn[:, 0] > 0.5
    assert float(first.float().mean()) == pytest.approx(0.25, abs=0.012)
    assert torch.allclose(drawn[~first].mean(0), torch.tensor([-1.0, 1.0]), atol=0.02)
    assert torch.allclose(drawn[~first].T.cov(), factor @ factor.T, atol=0.01)


def test_slerp():
    first, second = torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 2.0]])
    assert torch.allclose(slerp(first, second, 0.0), first) and torch.allclose(
        slerp(first, second, 1.0), second, atol=1e-6
    )
    half = slerp(first, second, 0.5)
    assert torch.allclose(half, torch.tensor([[0.5**0.5, 2 * 0.5**0.5]]))
    assert torch.allclose(slerp(first, 3 * first, 0.5), 2 * first), "parallel codes have a line between them"
    unit = torch.nn.functional.normalize(Noise(0, torch.arange(5), "a").normal(7), dim=1)
    other = torch.nn.functional.normalize(Noise(0, torch.arange(5), "b").normal(7), dim=1)
    assert torch.allclose(slerp(unit, other, 0.3).norm(dim=1), torch.ones(5), atol=1e-5)


@pytest.mark.parametrize(
    ("preset", "options"), [("cae", {}), ("vae", {}), ("dae", {}), ("vae", {"prior": "gaussian-mixture"})]
)
def test_interpolation_begins_and_ends_with_the_reconstructions(preset, options):
    model, _ = model_of(preset, **options)
    walk = interpolate(model, IMAGES.select([0, 1, 2]), IMAGES.select([3, 4, 5]), steps=4)
    assert walk.pixels.shape == (3, 4, 2, 8, 9)
    assert walk.pixels.dtype == np.uint8
    assert walk.labels[1] == "000001 to 000004"
    with torch.no_grad():
        ends = model(torch.from_numpy(IMAGES.pixels[[0, 3]]).float() / 255) * 255
    assert np.abs(walk.pixels[0, [0, -1]] - ends.numpy()).max() <= 1


def test_traversal_moves_one_unit():
    model, _ = model_of("vae", latent_dim=4)
    walk = traverse(model, IMAGES, units=[2, 0], steps=5, span=2.0)
    codes = embed(model, IMAGES)
    assert walk.pixels.shape == (2, 5, 2, 8, 9)
    assert walk.labels == ("unit 2", "unit 0")
    expected = codes[:, 2].mean() + np.linspace(-2, 2, 5) * codes[:, 2].std()
    assert np.allclose(walk.positions[0], expected, atol=1e-5)
    code = torch.from_numpy(codes[:1]).repeat(5, 1)
    code[:, 2] = torch.from_numpy(walk.positions[0]).float()
    with torch.no_grad():
        assert np.abs(walk.pixels[0] - model.decode(code).numpy() * 255).max() <= 1
    widest = traverse(model, IMAGES, rows=1)
    assert widest.labels == (f"unit {codes.std(0).argmax()}",)
    assert str(widest) == "1 rows of 9 images"


def foreign(tmp_path):
    from latentia.training.storage import save_tensors

    save_tensors(tmp_path / "x.safetensors", {"a": torch.zeros(1)})
    return FittedMixture.load(tmp_path / "x.safetensors")


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda _: generate(model_of("cae")[0], 3),
            "the bottleneck 'deterministic' has no prior to draw from: give train",
        ),
        (lambda _: generate(model_of("vae")[0], 0), "count is 0, but at least 1 image must be asked for"),
        (
            lambda _: generate(model_of("vae", latent_dim=4)[0], 1, mixture=fit_mixture(np.eye(3), 1)),
            "the mixture is one of codes of 3 values, but the model's have 4: fit it to codes of this model",
        ),
        (lambda _: fit_mixture(np.zeros((1, 3))), "two or more codes, but there are 1: give training images"),
        (lambda _: fit_mixture(np.eye(3), 0), "components is 0, but it must be at least 1"),
        (foreign, "holds no mixture of codes: it has the tensors a"),
        (lambda _: interpolate(model_of("cae")[0], IMAGES, IMAGES, steps=1), "steps is 1, but an interpolation needs"),
        (
            lambda _: interpolate(model_of("cae")[0], IMAGES, IMAGES.select([0])),
            "40 images to start from and 1 to go to",
        ),
        (lambda _: traverse(model_of("dae")[0], IMAGES), r"the code is spatial \(\d+x2x3\), and no unit of it speaks"),
        (
            lambda _: traverse(model_of("vae", latent_dim=4)[0], IMAGES, units=[4]),
            "there is no unit 4: the code's units are 0 to 3",
        ),
        (lambda _: traverse(model_of("vae")[0], IMAGES, steps=1), "steps is 1, but a traversal needs at least 2"),
    ],
)
def test_errors(call, message, tmp_path):
    with pytest.raises(UserError, match=message):
        call(tmp_path)


def test_corrupted_images_are_restored_from_the_same_corruption():
    from latentia.tasks.corrupted import corrupt_and_restore

    model, objective = model_of("dae")
    made = corrupt_and_restore(model, objective, IMAGES)
    assert made.clean is IMAGES
    assert float((made.corrupted.pixels == 0).mean()) == pytest.approx(0.5, abs=0.03)
    kept = made.corrupted.pixels > 0
    assert np.array_equal(made.corrupted.pixels[kept], IMAGES.pixels[kept])
    with torch.no_grad():
        expected = model(torch.from_numpy(made.corrupted.pixels).float() / 255) * 255
    assert np.abs(made.restored.pixels - expected.numpy()).max() <= 1
    assert corrupt_and_restore(*model_of("cae"), IMAGES) is None
