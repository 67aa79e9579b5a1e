"""Layers that PyTorch's compiler turns into kernels of their own: by choice, for it takes its time before it saves any.

Compiled are the networks alone, encoder, decoder and head, and only while full batches train: these have one shape, so each
network is compiled once. Noise, bottleneck, prior and loss stay as they are, and validation and every later use of the model
take the plain layers. Weights and their names do not change, so a run may be resumed with or without.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import torch
from torch import nn

from latentia.core.errors import UserError

SMALL = 8  # numbers with which it is found out whether anything can be compiled


class CompiledNetworks:
    """The networks of ``module``, compiled at their first use.

    Args:
        module: whose attribute ``networks`` names them: what maps tensors to tensors and does nearly all arithmetic.

    Raises:
        UserError: the module names none, or nothing can be compiled here, for want of a C++ compiler, say.
    """

    def __init__(self, module: nn.Module) -> None:
        networks: tuple[nn.Module, ...] = getattr(module, "networks", ())
        if not networks:
            raise UserError(f"a {type(module).__name__} names no networks to compile: leave --compile out")
        with _told():  # of something small, so that it is known before a folder is made
            torch.compile(torch.nn.functional.silu)(torch.zeros(SMALL, device=next(module.parameters()).device))
        self._plain: list[tuple[Any, Any]] = [(network, torch.compile(network.forward)) for network in networks]

    @contextlib.contextmanager
    def in_use(self) -> Iterator[None]:
        """Let the networks compute as compiled inside.

        Raises:
            UserError: one of them cannot be compiled.
        """
        for network, compiled in self._plain:
            network.forward = compiled
        try:
            with _told():
                yield
        finally:
            for network, _ in self._plain:
                del network.forward


@contextlib.contextmanager
def _told() -> Iterator[None]:
    """Turn what the compiler raises into one sentence."""
    try:
        yield
    except torch._dynamo.exc.BackendCompilerFailed as error:
        reason = str(error).strip().splitlines()[0]
        raise UserError(
            f"the networks cannot be compiled here: {reason}; leave --compile out (of a run that was begun with it: write "
            '"compile": false into its run.json)'
        ) from None


def used(networks: CompiledNetworks | None, full: bool) -> contextlib.AbstractContextManager[None]:
    """Return what lets compiled networks compute, where there are any and the batch is a ``full`` one."""
    return contextlib.nullcontext() if networks is None or not full else networks.in_use()
