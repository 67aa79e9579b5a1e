"""The script that everybody writes first, as the other side of our measurements: Dataset, PIL, DataLoader, Adam.

Each image is held as uint8, becomes a PIL image and a float32 tensor one at a time in ``__getitem__`` (what torchvision's
MNIST and ToTensor do), worker processes collate the batches, and the loop reads the loss of each step.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset


class ReportNetwork(nn.Module):
    """The report's network: strided convolutions of 8, 16 and 32 channels, a code of 16 numbers, and the mirror of it."""

    def __init__(self, latent_dim: int = 16) -> None:
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Conv2d(1, 8, 3, stride=2, padding=1),
            nn.ReLU(),
            nn.Conv2d(8, 16, 3, stride=2, padding=1),
            nn.ReLU(),
            nn.Conv2d(16, 32, 3, stride=2, padding=0),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(32 * 3 * 3, 128),
            nn.ReLU(),
            nn.Linear(128, latent_dim),
        )
        self.decoder = nn.Sequential(
            nn.Linear(latent_dim, 128),
            nn.ReLU(),
            nn.Linear(128, 32 * 3 * 3),
            nn.ReLU(),
            nn.Unflatten(1, (32, 3, 3)),
            nn.ConvTranspose2d(32, 16, 3, stride=2, output_padding=0),
            nn.ReLU(),
            nn.ConvTranspose2d(16, 8, 3, stride=2, padding=1, output_padding=1),
            nn.ReLU(),
            nn.ConvTranspose2d(8, 1, 3, stride=2, padding=1, output_padding=1),
            nn.Sigmoid(),
        )

    def forward(self, images: Tensor) -> Tensor:
        found: Tensor = self.decoder(self.encoder(images))
        return found


class OneByOne(Dataset[Tensor]):
    """Images ``uint8 [N, H, W]``, each made a PIL image and then a tensor when it is asked for."""

    def __init__(self, pixels: npt.NDArray[np.uint8]) -> None:
        self.pixels = pixels

    def __len__(self) -> int:
        return len(self.pixels)

    def __getitem__(self, index: int) -> Tensor:
        image = Image.fromarray(self.pixels[index])
        return torch.from_numpy(np.array(image, dtype=np.uint8, copy=True)).unsqueeze(0).float().div(255)


class UsualScript:
    """Trains a network to rebuild its input, epoch after epoch.

    Args:
        network: maps images ``[B, 1, H, W]`` in [0, 1] to images.
        pixels: the training images, uint8 ``[N, H, W]``.
        batch_size: images a step.
        device: where it is trained.
        workers: the loader's processes.
        learning_rate: Adam's.
    """

    def __init__(
        self,
        network: nn.Module,
        pixels: npt.NDArray[np.uint8],
        batch_size: int = 128,
        device: str = "cpu",
        workers: int = 2,
        learning_rate: float = 1e-3,
    ) -> None:
        self.network, self.device = network.to(device), torch.device(device)
        self.loader = DataLoader(
            OneByOne(pixels),
            batch_size=batch_size,
            shuffle=True,
            num_workers=workers,
            pin_memory=self.device.type == "cuda",
            persistent_workers=workers > 0,
        )
        self.criterion = nn.MSELoss()
        self.optimizer = torch.optim.Adam(network.parameters(), lr=learning_rate)
        self.losses: list[float] = []

    def steps(self) -> Iterator[int]:
        """Train for one epoch; yield the images of each step."""
        self.network.train()
        for images in self.loader:
            moved = images.to(self.device)
            loss = self.criterion(self.network(moved), moved)
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
            self.losses.append(loss.item())
            yield len(images)

    def rate(self, steps: int) -> float:
        """Return images a second over ``steps`` steps, after the loader's first ten."""
        stream = self.steps()
        for _ in range(10):
            next(stream)
        started, seen = time.perf_counter(), 0
        for _, count in zip(range(steps), stream, strict=False):
            seen += count
        return seen / (time.perf_counter() - started)
