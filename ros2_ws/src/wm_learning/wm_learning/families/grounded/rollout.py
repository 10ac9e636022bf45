"""The rollout graph that the robot runs: folded, with the numbers of EnsembleDynamics.rollout."""

import torch

from wm_core.layout import Layout, Part
from wm_learning.families.base import COMMON, XY
from wm_learning.families.folded import Folded
from wm_learning.families.grounded.dynamics import (
    CODE_SCALE,
    MOTION_SCALE,
    RELATIVE_SCALE,
    EnsembleDynamics,
)


class FoldedRollout(Folded):
    def __init__(self, dynamics: EnsembleDynamics) -> None:
        inputs, outputs = dynamics.inputs, dynamics.outputs
        code = next(part for part in outputs.parts if part.name == "code")
        following = (*COMMON.readout.parts, Part("lag", XY), code, Part("spread", XY))
        before = Layout((*following, Part("action", XY), Part("one", ("",))))
        after = Layout(following)
        # State -> input of the network.
        prepare = _Blocks(before, inputs)
        prepare.set("object", "relative", 1 / RELATIVE_SCALE)
        prepare.set("tool", "relative", -1 / RELATIVE_SCALE)
        prepare.set("lag", "lag", 1 / dynamics.scales)
        prepare.set("action", "action", 1)
        prepare.set("code", "code", 1)
        # State -> next latent and variance logits, without the network's part.
        carry = _Blocks(before, after)
        for name in ("object", "tool", "code"):
            carry.set(name, name, 1)
        carry.set("lag", "tool", 1)
        carry.set("action", "tool", dynamics.scales)
        # Output of the network -> next latent and variance logits.
        apply = _Blocks(outputs, after)
        apply.set("motion", "object", MOTION_SCALE)
        apply.set("lag", "lag", dynamics.scales)
        apply.set("lag", "tool", -dynamics.scales)
        apply.set("spread", "spread", 1)
        apply.set("code", "code", CODE_SCALE)
        super().__init__(dynamics.network, prepare.matrix, carry.matrix, apply.matrix)


class _Blocks:
    """A matrix from rows of one layout to columns of another, of diagonal blocks."""

    def __init__(self, rows: Layout, columns: Layout) -> None:
        self._rows, self._columns = rows, columns
        self.matrix = torch.zeros(rows.size, columns.size)

    def set(self, row: str, column: str, values: torch.Tensor | float) -> None:
        """Carry a part over to another, times `values` (n,) or one value."""
        rows, columns = self._rows.slice(row), self._columns.slice(column)
        self.matrix[rows, columns] = torch.eye(columns.stop - columns.start) * values
