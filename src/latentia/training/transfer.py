"""A new model from a pre-trained one's matching layers."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from latentia.core.errors import UserError


@dataclasses.dataclass(frozen=True)
class Transfer:
    """Which tensors came along, by name, and which are new."""

    came: tuple[str, ...]
    new: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Return both lists."""
        return {"came": list(self.came), "new": list(self.new)}

    def __str__(self) -> str:
        return f"came along: {_layers(self.came) or 'nothing'}; new: {_layers(self.new) or 'nothing'}"


def transfer(module: nn.Module, weights: Mapping[str, Tensor], source: str) -> Transfer:
    """Copy into ``module`` each tensor of ``weights`` that has its name and shape.

    Raises:
        UserError: none matches.
    """
    own = module.state_dict()
    came = {name: weights[name] for name, held in own.items() if name in weights and weights[name].shape == held.shape}
    if not came:
        raise UserError(f"no layer of {source} fits the new model: choose the same encoder and widths as there")
    module.load_state_dict({**own, **came})
    return Transfer(tuple(came), tuple(name for name in own if name not in came))


def _layers(names: tuple[str, ...]) -> str:
    return ", ".join(dict.fromkeys(name.rpartition(".")[0] or name for name in names))
