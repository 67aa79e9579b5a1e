"""PyTorch's optimisers by name, and Muon."""

from __future__ import annotations

import inspect
from collections.abc import Iterable
from typing import Any

import torch
from torch import nn

from latentia.core.errors import UserError, unknown
from latentia.core.spec import fit, parse
from latentia.training.muon import Muon
from latentia.training.sharding import is_sharded

UNSUITABLE = {
    "LBFGS": "needs several evaluations a step",
    "SparseAdam": "takes sparse gradients only",
    "Muon": "takes matrices only; ours, of the same name, takes all",
}


def optimizer_names() -> dict[str, type[torch.optim.Optimizer]]:
    """Return PyTorch's optimisers by lower-case name, those apart that cannot train here, and Muon."""
    found = {
        name.lower(): value
        for name, value in vars(torch.optim).items()
        if isinstance(value, type)
        and issubclass(value, torch.optim.Optimizer)
        and value is not torch.optim.Optimizer
        and name not in UNSUITABLE
    }
    return {**found, "muon": Muon}


def build_optimizer(text: str, groups: Iterable[dict[str, Any]], learning_rate: float) -> torch.optim.Optimizer:
    """Return the optimiser for ``"name"`` or ``"name:option=value,…"``, fused where PyTorch offers it.

    Raises:
        UserError: no such optimiser, or it has no such option.
    """
    name, options = parse(text or "adam")
    known = optimizer_names()
    if name.lower() not in known:
        raise unknown("optimizer", name, known)
    cls = known[name.lower()]
    signature = inspect.signature(cls).parameters
    arguments: dict[str, Any] = {"lr": learning_rate}
    for key, value in options.items():
        if key not in signature or key in ("params", "lr"):
            usable = ", ".join(option for option in signature if option not in ("params", "lr", "self"))
            raise UserError(f"the optimizer {name!r} has no option {key!r} (its options: {usable})")
        arguments[key] = _option(value, signature[key].default, f"{name}.{key}")
    groups = list(groups)
    otherwise = any(arguments.get(name) for name in ("foreach", "differentiable"))
    if "fused" in signature and "fused" not in arguments and not otherwise and _can_fuse(groups):
        arguments["fused"] = True
    try:
        return cls(groups, **arguments)
    except (ValueError, RuntimeError) as error:
        raise UserError(f"the optimizer {text!r} cannot be made: {str(error).rstrip('.')}") from None


def parameter_groups(objective: Any, module: nn.Module, settings: Any) -> list[dict[str, Any]]:
    """Return what is trained: as the objective says by ``parameter_groups``, or all weights alike."""
    choose = getattr(objective, "parameter_groups", None)
    if choose is not None:
        groups: list[dict[str, Any]] = choose(module, settings)
        return groups
    return [{"params": [parameter for parameter in module.parameters() if parameter.requires_grad]}]


def trained_by(optimizer: torch.optim.Optimizer) -> list[nn.Parameter]:
    """Return what an optimiser changes."""
    return [parameter for group in optimizer.param_groups for parameter in group["params"]]


def step(optimizer: torch.optim.Optimizer) -> None:
    """Let the optimiser take a step: with what is shared out and what is not one after the other, for it takes no mixture."""
    trained = trained_by(optimizer)
    shared, plain = [p for p in trained if is_sharded(p)], [p for p in trained if not is_sharded(p)]
    if not shared:
        optimizer.step()
        return
    for others in (plain, shared):  # a parameter without a gradient is passed over
        gradients = [parameter.grad for parameter in others]
        for parameter in others:
            parameter.grad = None
        optimizer.step()
        for parameter, gradient in zip(others, gradients, strict=True):
            parameter.grad = gradient


def _can_fuse(groups: list[dict[str, Any]]) -> bool:
    parameters = [parameter for group in groups for parameter in group["params"]]
    kinds = all(parameter.device.type in ("cpu", "cuda") and parameter.is_floating_point() for parameter in parameters)
    return kinds and not any(is_sharded(parameter) for parameter in parameters)  # not all fused ones know these


def _option(value: str, default: Any, where: str) -> Any:
    if isinstance(default, bool) or (
        default is None and value.lower() in ("true", "false")
    ):  # such as fused, or foreach
        return fit(value, bool, where)
    if isinstance(default, tuple):
        return fit(value, tuple[float, ...], where)
    return fit(value, float, where)
