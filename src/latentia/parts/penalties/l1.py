"""L1 on the codes: sum |z|, the sparse coding penalty (Olshausen & Field 1996; Ng 2011, "Sparse autoencoder").

Deviation: by default divided by the code's own length (the ratio of Hoyer 2004), between 1 for one active unit and
sqrt(D) for all alike. The plain sum can be made small without any sparsity, by small codes and large decoder weights.
"""

from __future__ import annotations

import dataclasses

from torch import Tensor

from latentia.parts.base import Penalty, View
from latentia.parts.code import Code


@dataclasses.dataclass(frozen=True)
class L1(Penalty):
    """The summed absolute values of a code.

    Attributes:
        relative: divide by the code's Euclidean length.
    """

    relative: bool = True

    def __call__(self, view: View, code: Code) -> Tensor:
        """Return the sum of each code: ``[B]``."""
        units = code.vector()
        total = units.abs().sum(1)
        return total / units.square().sum(1).add(1e-8).sqrt() if self.relative else total
