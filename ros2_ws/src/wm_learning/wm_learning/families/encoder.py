"""Encoder: fused bird's-eye-view map -> where the object is, how sure, and what it looks like.

Two stages: a coarse heat map over the whole map, then a small network looks twice at a window around the object
and refines the position, its variance and the appearance code.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from wm_core.specs import BevSpec

WINDOW = 24  # cells per side of the window, 19 cm at 8 mm
LOG_VARIANCE = (-14.0, -3.0)  # bounds of log variance [m^2]: 0.9 mm to 22 cm


class Encoder(nn.Module):
    """`bev` (b, 5, rows, columns) -> `embedding` (b, 5 + code): x, y [m], log variance x, y [m^2], visibility logit, code."""

    cells: Tensor
    window: Tensor

    def __init__(self, spec: BevSpec, code: int) -> None:
        super().__init__()
        self.spec = spec
        self.code = code
        self.coarse = nn.Sequential(
            nn.Conv2d(5, 12, 5, stride=2, padding=2),
            nn.ReLU(),
            nn.Conv2d(12, 24, 3, stride=2, padding=1),
            nn.ReLU(),
            nn.Conv2d(24, 32, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(32, 32, 3, padding=2, dilation=2),
            nn.ReLU(),
        )
        self.heat = nn.Conv2d(32, 1, 1)
        self.look = nn.Sequential(
            nn.Conv2d(5, 16, 3, stride=2, padding=1),
            nn.ReLU(),
            nn.Conv2d(16, 32, 3, stride=2, padding=1),
            nn.ReLU(),
            nn.Conv2d(32, 48, 3, padding=1),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(48 * (WINDOW // 4) ** 2, 96),
            nn.ReLU(),
        )
        self.offset = nn.Linear(96, 2)
        self.log_variance = nn.Linear(96 + 1, 2)
        self.visibility = nn.Linear(96 + 1, 1)
        self.appearance = nn.Linear(96, code)
        rows, columns = spec.rows // 4, spec.columns // 4
        x = spec.x_min + (torch.arange(rows) + 0.5) * 4 * spec.cell
        y = spec.y_min + (torch.arange(columns) + 0.5) * 4 * spec.cell
        self.register_buffer(
            "cells", torch.stack(torch.meshgrid(x, y, indexing="ij"), -1).reshape(-1, 2), persistent=False
        )
        steps = (torch.arange(WINDOW) + 0.5 - WINDOW / 2) * spec.cell
        self.register_buffer("window", torch.stack(torch.meshgrid(steps, steps, indexing="ij"), -1), persistent=False)

    def forward(self, bev: Tensor) -> Tensor:
        features = self.coarse(bev)
        heat = self.heat(features).flatten(1)
        weights = F.softmax(heat, dim=1)
        first = weights @ self.cells
        peak = torch.amax(heat, dim=1, keepdim=True)  # how certain the coarse stage is
        second = first + 0.02 * self.offset(self.look(self.crop(bev, first.detach())))
        seen = self.look(self.crop(bev, second.detach()))
        position = second.detach() + 0.02 * self.offset(seen)
        evidence = torch.cat([seen, 0.1 * peak], 1)
        low, high = LOG_VARIANCE
        log_variance = low + (high - low) * torch.sigmoid(self.log_variance(evidence))
        # The stages before the last are trained through these (families/seeing.py); inference needs only the last.
        self.heat_map = heat
        self.positions = (first, second, position)
        return torch.cat([position, log_variance, self.visibility(evidence), torch.tanh(self.appearance(seen))], 1)

    def crop(self, bev: Tensor, centre: Tensor) -> Tensor:
        """Window (b, 5, WINDOW, WINDOW) of the map around `centre` (b, 2) [m]."""
        return F.grid_sample(bev, to_grid(self.window + centre[:, None, None], self.spec), align_corners=False)


def to_grid(points: Tensor, spec: BevSpec) -> Tensor:
    """Points (..., 2) as x, y [m] -> grid_sample coordinates (..., 2) in -1..1, column first."""
    u = (points[..., 1] - spec.y_min) * (2 / (spec.columns * spec.cell)) - 1
    v = (points[..., 0] - spec.x_min) * (2 / (spec.rows * spec.cell)) - 1
    return torch.stack([u, v], -1)
