"""Pythae's own trainer on pythae's own MNIST network; runs in an environment of its own and knows nothing of Latentia.

    python pythae_speed.py '{"images": "images.npz", "latent_dim": 16, "batch_size": 128, "epochs": 2, "threads": 2, "seed": 0}'

``images.npz`` holds ``train``, uint8 ``[N, 1, 28, 28]``. Prints the seconds of training and the loss of the last epoch's weights.
"""

from __future__ import annotations

import json
import logging
import sys
import tempfile
import time

import numpy as np
import torch
from pythae.data.datasets import BaseDataset
from pythae.models import AE, AEConfig
from pythae.models.nn.benchmarks.mnist import Decoder_Conv_AE_MNIST, Encoder_Conv_AE_MNIST
from pythae.trainers import BaseTrainer, BaseTrainerConfig

logging.disable(logging.INFO)


def main(job):
    torch.set_num_threads(job["threads"])
    torch.manual_seed(job["seed"])
    pixels = torch.from_numpy(np.load(job["images"])["train"]).float() / 255
    config = AEConfig(input_dim=(1, 28, 28), latent_dim=job["latent_dim"])
    model = AE(config, encoder=Encoder_Conv_AE_MNIST(config), decoder=Decoder_Conv_AE_MNIST(config))
    with tempfile.TemporaryDirectory() as folder:
        settings = BaseTrainerConfig(
            output_dir=folder,
            num_epochs=job["epochs"],
            learning_rate=job.get("learning_rate", 1e-3),
            per_device_train_batch_size=job["batch_size"],
            no_cuda=True,
            seed=job["seed"],
        )
        data = BaseDataset(pixels, torch.zeros(len(pixels)))
        trainer = BaseTrainer(model=model, train_dataset=data, eval_dataset=None, training_config=settings)
        started = time.time()
        trainer.train()
        seconds = time.time() - started
        best = AE.load_from_folder(f"{trainer.training_dir}/final_model").train()
    with torch.no_grad():
        # in the mode of training, as both sides are compared by the loss that they minimise
        rebuilt = torch.cat([best({"data": some}).recon_x for some in pixels.split(job["batch_size"])])
    mse = float((rebuilt - pixels).square().mean())
    print(json.dumps({"seconds": seconds, "mse": mse, "parameters": sum(p.numel() for p in model.parameters())}))


main(json.loads(sys.argv[1]))
