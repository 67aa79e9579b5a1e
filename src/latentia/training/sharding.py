"""Weights, gradients and optimiser state shared out among the processes of a training, so that none holds all of a large model.

PyTorch's ``fully_shard`` (Zhao et al. 2023, FSDP; after ZeRO's third stage, Rajbhandari et al. 2020): a layer's weights are
gathered when it is called, and its gradients are summed into the shares of their owners. What is written to disk is whole, as
of any other training, so a run can be gone on with by another number of processes, and without shards.
"""

from __future__ import annotations

import copy
import dataclasses
import warnings
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from latentia.core.errors import UserError
from latentia.core.launch import launch
from latentia.core.spec import parse
from latentia.training.settings import TrainSettings

Settings = TypeVar("Settings", bound=TrainSettings)
WHOLE = ("muon", "rprop", "adafactor")  # optimisers that PyTorch does not run on parts, or that are others on parts
LARGE = 1 << 18  # weights from which on a layer is gathered by itself, and not with the rest of its network


def shard(module: nn.Module, objective: Any, settings: TrainSettings, device: torch.device) -> None:
    """Let each process keep its share of the weights of ``module``, on ``device``; all hold the same weights before.

    The module may lie in main memory: then no more than a layer at a time is whole on ``device``.

    Raises:
        UserError: see :func:`check_sharable`; or the module does not say which parts are only ever called.
    """
    check_sharable(objective, settings)
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard

    networks: tuple[nn.Module, ...] = getattr(module, "sharable", ())
    if not networks:
        raise UserError(f"--shard does not know which parts of a {type(module).__name__} can be shared out")
    # that an output is a view would matter if it were changed in place, which no part does
    warnings.filterwarnings("ignore", message="FSDP2-wrapped module .* returned a view tensor", category=UserWarning)
    mesh = init_device_mesh(device.type, (launch().size,))
    for network in networks:
        large = [layer for layer in network.modules() if _own_weights(layer) >= LARGE and layer is not network]
        for layer in [*reversed(large), network]:  # the inner ones first
            if any(True for _ in layer.parameters()):
                shared: Any = fully_shard(layer, mesh=mesh, reshard_after_forward=True)
                shared.set_gradient_divide_factor(1.0)  # each process's loss is its part of the mean over all images
                shared.set_force_sum_reduction_for_comms(True)  # gloo knows no other reduction
    for part in module.modules():
        for name, buffer in part.named_buffers(recurse=False):
            part._buffers[name] = buffer.to(device)
        for parameter in part.parameters(recurse=False):
            if not is_sharded(parameter):
                parameter.data = parameter.data.to(device)


def check_sharable(objective: Any, settings: TrainSettings) -> None:
    """Raise a :class:`UserError` where such a training cannot share its model out, before anything is made.

    There is one process, PyTorch is too old, or something looks at whole layers.
    """
    settings.check_shares()
    if settings.compile:
        raise UserError("networks that are shared out are not compiled: leave --shard or --compile out")
    name, options = parse(settings.optimizer or "adam")
    if name.lower() in WHOLE:
        raise UserError(f"{name} looks at whole layers: with --shard choose another --optimizer, such as adam")
    if options.get("fused", "").lower() == "true" and not name.lower().startswith("adam"):
        raise UserError(f"{name} is not fused where a model is shared out: leave --shard or fused=true out")
    for penalty in getattr(objective, "penalties", ()):
        if penalty.second_order:
            raise UserError(
                f"the penalty {penalty.name!r} differentiates the network within a step, which one that is shared out does not "
                "allow: leave --shard or the penalty out"
            )
    from torch.distributed.fsdp import FSDPModule, _common_utils

    # the second: outputs that are dataclasses, such as codes, are followed
    if not hasattr(FSDPModule, "set_force_sum_reduction_for_comms") or not hasattr(
        _common_utils, "collect_grad_tensors"
    ):
        raise UserError(f"--shard needs a newer PyTorch than {torch.__version__}")


def emptied(module: nn.Module) -> nn.Module:
    """Return a copy of ``module`` whose parameters take no memory, to be given whole ones by :func:`filled`."""
    empty = {id(each): nn.Parameter(each.detach().to("meta"), each.requires_grad) for each in module.parameters()}
    return copy.deepcopy(module, memo=dict(empty))


def filled(module: nn.Module, state: Mapping[str, Tensor]) -> nn.Module:
    """Let ``module``, a copy that :func:`emptied` made or any other, hold ``state``, and return it."""
    module.load_state_dict(state, assign=any(each.is_meta for each in module.parameters()))
    return module


def gone_on_with(settings: Settings) -> Settings:
    """Return the settings of a run that is gone on with: one process has all of a model, though it was begun by several."""
    return settings if launch().size > 1 else dataclasses.replace(settings, shard=False)


def is_sharded(tensor: Tensor) -> bool:
    """Return whether other processes hold parts of ``tensor``."""
    return hasattr(tensor, "full_tensor")


def local(tensor: Tensor) -> Tensor:
    """Return the part of ``tensor`` that this process holds: all of it, where it is not shared out."""
    held: Any = tensor
    if not is_sharded(tensor):
        return tensor
    with torch.no_grad():
        return held.to_local()


@torch.no_grad()
def whole(tensor: Tensor) -> Tensor:
    """Return all of ``tensor``; every process calls it."""
    held: Any = tensor
    return held.full_tensor() if is_sharded(tensor) else tensor


def wholes(tensors: Mapping[str, Tensor], *, to_write: bool = False) -> dict[str, Tensor]:
    """Return all of each tensor; every process calls it. Those that are shared out come to the CPU one after the other.

    ``to_write``: only the leading process, which writes them, keeps them.
    """
    found: dict[str, Tensor] = {}
    for name, tensor in tensors.items():
        all_of_it = whole(tensor)
        if launch().leads or not (to_write and is_sharded(tensor)):
            found[name] = all_of_it.cpu() if is_sharded(tensor) else tensor
    return found


def as_in(tensors: Mapping[str, Tensor], state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return whole tensors, each as that of the same name in ``state`` is: where that is shared out, this process's part."""
    return {name: part_of(tensor, state[name]) if name in state else tensor for name, tensor in tensors.items()}


@torch.no_grad()
def part_of(tensor: Tensor, like: Tensor) -> Tensor:
    """Return a whole tensor shared out as ``like``, of the same shape, is."""
    if not is_sharded(like) or tensor.shape != like.shape:
        return tensor
    from torch.distributed.tensor import distribute_tensor

    shared: Any = like
    moved = tensor.to(device=shared.to_local().device, dtype=like.dtype)
    return distribute_tensor(moved, shared.device_mesh, shared.placements, src_data_rank=None)


@torch.no_grad()
def clip_gradients(parameters: Iterable[nn.Parameter], largest: float) -> None:
    """Scale all gradients so that their norm is ``largest`` at most, wherever their parts lie."""
    trained = [parameter for parameter in parameters if parameter.grad is not None]
    shared = [parameter for parameter in trained if is_sharded(parameter)]
    if not shared:
        nn.utils.clip_grad_norm_(trained, largest)
        return
    gradients = [local(parameter.grad) for parameter in trained]  # type: ignore[arg-type]
    squares = whole(nn.utils.get_total_norm([one.grad for one in shared])).square()  # type: ignore[misc]
    for parameter in trained:
        if not is_sharded(parameter):
            squares = squares + parameter.grad.square().sum()  # type: ignore[union-attr]
    torch._foreach_mul_(gradients, (largest / (squares.sqrt() + 1e-6)).clamp(max=1.0))  # as PyTorch scales them


def _own_weights(layer: nn.Module) -> int:
    return sum(parameter.numel() for parameter in layer.parameters(recurse=False))
