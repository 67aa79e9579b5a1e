"""Pythae's side of ``benchmarks/pythae.py``; runs in an environment of its own and knows nothing of Latentia.

The network is that of Latentia's ``conv`` family, layer for layer and in the same order, so that its weights can be judged by
the same code as ours. Images come as ``train``, ``validation`` and ``test``, uint8 ``[N, 1, 28, 28]``.

    python pythae_side.py '{"images": "images.npz", "model": "vae", "seed": 0, "epochs": 10, ...}'
"""

from __future__ import annotations

import json
import logging
import sys
import tempfile
import time

import numpy as np
import torch
from pythae.models import AE, IWAE, VAE, VQVAE, AEConfig, BetaVAE, BetaVAEConfig, IWAEConfig, VAEConfig, VQVAEConfig
from pythae.models.base.base_utils import ModelOutput
from pythae.models.nn import BaseDecoder, BaseEncoder
from pythae.pipelines import TrainingPipeline
from pythae.trainers import BaseTrainerConfig
from torch import nn

logging.disable(logging.INFO)


class Encoder(BaseEncoder):
    """Two strided convolutions, a dense layer, and the heads that the model asks for."""

    def __init__(self, widths, hidden, outputs, kind):
        super().__init__()
        first, second = widths
        self.features = nn.Sequential(
            nn.Conv2d(1, first, 4, 2, 1), nn.SiLU(), nn.Conv2d(first, second, 4, 2, 1), nn.SiLU()
        )
        self.kind, self.latent_dim = kind, outputs
        if kind == "spatial":
            self.project = nn.Conv2d(second, outputs, 1)
        else:
            heads = 2 if kind == "posterior" else 1
            self.project = nn.Sequential(
                nn.Flatten(), nn.Linear(second * 7 * 7, hidden), nn.SiLU(), nn.Linear(hidden, heads * outputs)
            )

    def forward(self, x):
        projected = self.project(self.features(x))
        if self.kind != "posterior":
            return ModelOutput(embedding=projected)
        mean, log_std = projected.chunk(2, dim=1)
        return ModelOutput(embedding=mean, log_covariance=2 * 7.0 * torch.tanh(log_std / 7.0))


class Decoder(BaseDecoder):
    """The mirror of the encoder; its last step is a sigmoid."""

    def __init__(self, widths, hidden, inputs, kind):
        super().__init__()
        first, second = widths
        if kind == "spatial":
            self.unproject = nn.Conv2d(inputs, second, 1)
        else:
            self.unproject = nn.Sequential(
                nn.Linear(inputs, hidden),
                nn.SiLU(),
                nn.Linear(hidden, second * 7 * 7),
                nn.Unflatten(1, (second, 7, 7)),
            )
        self.layers = nn.Sequential(
            nn.SiLU(),
            nn.ConvTranspose2d(second, first, 4, 2, 1),
            nn.SiLU(),
            nn.ConvTranspose2d(first, 1, 4, 2, 1),
        )

    def forward(self, z):
        return ModelOutput(reconstruction=torch.sigmoid(self.layers(self.unproject(z))))


def build(job):
    name, widths, hidden, latent = job["model"], job["widths"], job["hidden"], job["latent_dim"]
    kind = {"ae": "vector", "vq-vae": "spatial"}.get(name, "posterior")
    networks = {"encoder": Encoder(widths, hidden, latent, kind), "decoder": Decoder(widths, hidden, latent, kind)}
    common = {"input_dim": (1, 28, 28), "latent_dim": latent}
    if name == "ae":
        return AE(AEConfig(**common), **networks)
    if name == "vae":
        return VAE(VAEConfig(**common, reconstruction_loss="bce"), **networks)
    if name == "beta-vae":
        return BetaVAE(BetaVAEConfig(**common, reconstruction_loss="bce", beta=job["beta"]), **networks)
    if name == "iwae":
        return IWAE(IWAEConfig(**common, reconstruction_loss="bce", number_samples=job["samples"]), **networks)
    config = VQVAEConfig(**common, num_embeddings=job["codebook_size"], use_ema=True, decay=0.95)
    return VQVAE(config, **networks)


def main(job):
    data = np.load(job["images"])
    parts = {part: torch.from_numpy(data[part]).float() / 255 for part in ("train", "validation", "test")}
    torch.manual_seed(job["seed"])
    model = build(job)
    with tempfile.TemporaryDirectory() as folder:
        config = BaseTrainerConfig(
            output_dir=folder,
            num_epochs=job["epochs"],
            learning_rate=job["learning_rate"],
            per_device_train_batch_size=job["batch_size"],
            per_device_eval_batch_size=256,
            scheduler_cls="ReduceLROnPlateau",
            scheduler_params={"patience": 2, "factor": 0.5},
            seed=job["seed"],
            no_cuda=True,
        )
        pipeline = TrainingPipeline(training_config=config, model=model)
        started = time.time()
        pipeline(train_data=parts["train"], eval_data=parts["validation"])
        seconds = time.time() - started
        best = type(model).load_from_folder(f"{pipeline.trainer.training_dir}/final_model").eval()
    arrays = {}
    for side in ("encoder", "decoder"):
        for place, tensor in enumerate(getattr(best, side).state_dict().values()):
            arrays[f"{side}.{place}"] = tensor.numpy()
    if job["model"] == "vq-vae":  # another codebook than ours: it is judged by what it rebuilds
        with torch.no_grad():
            for part in ("validation", "test"):
                rebuilt = [best({"data": images}).recon_x for images in parts[part].split(500)]
                arrays[part] = torch.cat(rebuilt).numpy()
    np.savez(job["output"], **arrays)
    print(json.dumps({"seconds": seconds, "parameters": sum(p.numel() for p in model.parameters())}))


main(json.loads(sys.argv[1]))
