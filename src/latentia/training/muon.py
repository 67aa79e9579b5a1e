"""Muon: momentum made orthogonal for convolutions and matrices, Adam for the rest (Jordan et al. 2024, "Muon"; Bernstein &
Newhouse 2024, "Old optimizer, new norm").

The momentum of a layer, as a matrix of outputs against inputs, is replaced by its nearest semi-orthogonal matrix (five
steps of a Newton-Schulz iteration with Jordan's coefficients), so that every direction moves by the same amount; under Adam
a few directions take all. Networks without normalisation gain most: see ``docs/decisions/0007``.

Deviations: one learning rate for both kinds of parameter, as ``ratio`` times it is Muon's; layers with few channels on
either side (pixels in, pixels out) and matrices larger than ``largest`` both ways, whose iteration would cost more than the
step, are left to Adam. PyTorch's own ``torch.optim.Muon`` takes matrices only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor
from torch.optim.adamw import adamw

COEFFICIENTS = (3.4445, -4.7750, 2.0315)
THIN = 8  # layers with fewer channels than this on either side are left to Adam


class Muon(torch.optim.Optimizer):
    """Orthogonal momentum for ``[out, in, ...]`` weights, Adam for all else.

    Args:
        params: parameters or groups of them; a group may have its own ``lr``.
        lr: the learning rate of Adam's parameters.
        ratio: Muon's learning rate, as a multiple of it.
        momentum: decay of the gradient's running mean (Nesterov's form).
        largest: matrices with more rows and more columns than this are left to Adam.
        betas: Adam's decays.
        eps: Adam's epsilon.
        weight_decay: decoupled from the gradient, as in AdamW.

    Raises:
        ValueError: an option out of its range.
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 2e-3,
        ratio: float = 25.0,
        momentum: float = 0.95,
        largest: float = 256,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
    ) -> None:
        defaults = {
            "lr": lr,
            "ratio": ratio,
            "momentum": momentum,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "records": True,  # a step can be recorded, with tensors for rates
        }
        for name, value, fits in (
            ("ratio", ratio, ratio > 0),
            ("momentum", momentum, 0 <= momentum < 1),
            ("weight_decay", weight_decay, weight_decay >= 0),
            ("eps", eps, eps > 0),
            ("betas", betas, all(0 <= beta < 1 for beta in betas)),
        ):
            if not fits:
                raise ValueError(f"{name} cannot be {value}")
        groups = [group if isinstance(group, dict) else {"params": [group]} for group in params]
        super().__init__([part for group in groups for part in _split(group, largest)], defaults)

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """Take one step from the gradients as they stand; return what ``closure`` gives."""
        loss = None if closure is None else torch.enable_grad()(closure)()
        for group in self.param_groups:
            (self._orthogonal_step if group["orthogonal"] else self._adam_step)(group)
        return loss

    def _orthogonal_step(self, group: dict[str, Any]) -> None:
        for parameter in group["params"]:
            if parameter.grad is None:
                continue
            state = self.state[parameter]
            if not state:
                state["momentum"] = torch.zeros_like(parameter)
            state["momentum"].lerp_(parameter.grad, 1 - group["momentum"])
            ahead = parameter.grad.lerp(state["momentum"], group["momentum"]).flatten(1)
            rows, columns = ahead.shape
            rate = group["lr"] * group["ratio"] * max(1.0, rows / columns) ** 0.5
            parameter.mul_(1 - group["lr"] * group["weight_decay"])
            way = orthogonal(ahead).view_as(parameter)
            if isinstance(rate, Tensor):
                parameter.sub_(rate * way)
            else:
                parameter.add_(way, alpha=-rate)

    def _adam_step(self, group: dict[str, Any]) -> None:
        moving = [parameter for parameter in group["params"] if parameter.grad is not None]
        for parameter in moving:
            state = self.state[parameter]
            if not state:
                state["step"] = torch.zeros((), dtype=torch.float32, device=parameter.device)
                state["exp_avg"], state["exp_avg_sq"] = torch.zeros_like(parameter), torch.zeros_like(parameter)
        if not moving:
            return
        states = [self.state[parameter] for parameter in moving]
        beta1, beta2 = group["betas"]
        adamw(
            moving,
            [parameter.grad for parameter in moving],
            [state["exp_avg"] for state in states],
            [state["exp_avg_sq"] for state in states],
            [],
            [state["step"] for state in states],
            fused=moving[0].device.type in ("cpu", "cuda"),
            amsgrad=False,
            beta1=beta1,
            beta2=beta2,
            lr=group["lr"],
            weight_decay=group["weight_decay"],
            eps=group["eps"],
            maximize=False,
        )


def orthogonal(matrix: Tensor, steps: int = 5) -> Tensor:
    """Return nearly ``U V^T`` for ``matrix = U S V^T``: singular values of about 1 (0.7 to 1.2), the same vectors."""
    a, b, c = COEFFICIENTS
    found = matrix.bfloat16() if matrix.device.type == "cuda" else matrix.float()
    tall = found.shape[0] > found.shape[1]
    if tall:
        found = found.T
    found = found / (found.norm() + 1e-7)
    for _ in range(steps):
        gram = found @ found.T
        found = a * found + (b * gram + c * gram @ gram) @ found
    return (found.T if tall else found).to(matrix.dtype)


def _split(group: dict[str, Any], largest: float) -> list[dict[str, Any]]:
    parameters = list(group["params"])
    chosen = [parameter for parameter in parameters if _suits(parameter, largest)]
    ids = {id(parameter) for parameter in chosen}
    rest = [parameter for parameter in parameters if id(parameter) not in ids]
    parts = ((chosen, True), (rest, False))
    return [{**group, "params": some, "orthogonal": flag} for some, flag in parts if some]


def _suits(parameter: Tensor, largest: float) -> bool:
    if parameter.ndim < 2 or min(parameter.shape[:2]) < THIN:
        return False
    rows = parameter.shape[0]
    return min(rows, parameter.numel() // rows) <= largest
