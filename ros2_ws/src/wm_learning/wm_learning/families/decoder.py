"""Decoder: latent -> top view of the table as the model imagines it."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from wm_core.specs import BevSpec
from wm_learning.families.base import OBJECT, STATE, TOOL
from wm_learning.families.parts import cell_centres

WINDOW = 24  # cells per side of the drawn patch, 19 cm at 8 mm
TOOL_RADIUS = 0.014  # [m] how large the tool is drawn


class Decoder(nn.Module):
    """`latent` (b, L) -> `image` (b, rows, columns, 3) in 0..1, `readout` (b, 4)."""

    cells: Tensor

    def __init__(self, spec: BevSpec, state: int) -> None:
        super().__init__()
        self.spec = spec
        self.patch = nn.Sequential(
            nn.Linear(state, 96),
            nn.ReLU(),
            nn.Linear(96, 32 * 6 * 6),
            nn.ReLU(),
            nn.Unflatten(1, (32, 6, 6)),
            nn.ConvTranspose2d(32, 24, 4, stride=2, padding=1),
            nn.ReLU(),
            nn.ConvTranspose2d(24, 4, 4, stride=2, padding=1),
        )
        self.table = nn.Parameter(torch.full((3,), 0.0))
        self.register_buffer("cells", cell_centres(spec), persistent=False)

    def canvas(self, position: Tensor, state: Tensor) -> Tensor:
        """Object at `position` (b, 2) on the bare table -> (b, 3, rows, columns)."""
        patch = self.patch(state)
        relative = (self.cells - position[:, None, None]) * (2 / (WINDOW * self.spec.cell))
        placed = F.grid_sample(patch, relative.flip(-1), align_corners=False)
        inside = (torch.amax(torch.abs(relative), -1) < 1).to(placed.dtype)[:, None]
        alpha = torch.sigmoid(placed[:, 3:4]) * inside
        table = torch.sigmoid(self.table)[None, :, None, None]
        return alpha * torch.sigmoid(placed[:, :3]) + (1 - alpha) * table

    def forward(self, latent: Tensor) -> tuple[Tensor, Tensor]:
        image = self.canvas(latent[:, OBJECT], latent[:, STATE])
        distance = torch.sqrt(((self.cells - latent[:, None, None, TOOL]) ** 2).sum(-1))[:, None]
        tool = torch.sigmoid((TOOL_RADIUS - distance) * 800)
        image = image * (1 - tool) + 0.12 * tool
        return image.permute(0, 2, 3, 1), torch.cat([latent[:, OBJECT], latent[:, TOOL]], 1)
