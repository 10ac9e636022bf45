"""A small U-Net: for each cell of a map a vote for where its object's top is."""

import torch
from torch import Tensor, nn

CHANNELS, VOTES = 5, 4
WIDTHS = 16, 32, 48, 64


class PartsNetwork(nn.Module):
    """`map` (b, 5, X, Y), sides of multiples of 8 -> `votes` (b, 4, X, Y): see wm_perception.scene.parts."""

    def __init__(self) -> None:
        super().__init__()
        first, *rest = WIDTHS
        pairs = list(zip(WIDTHS[:-1], rest, strict=True))
        self.into = _layer(CHANNELS, first)  # one layer only where there are most cells
        self.down = nn.ModuleList(nn.Sequential(_layer(above, below), _layer(below, below)) for above, below in pairs)
        self.up = nn.ModuleList(
            nn.Sequential(_layer(below + above, above), *([] if above == first else [_layer(above, above)]))
            for above, below in pairs
        )
        self.out = nn.Conv2d(first, VOTES, 1)
        for weights in self.out.parameters():
            nn.init.zeros_(weights)

    def forward(self, seen: Tensor) -> Tensor:
        levels = [self.into(seen)]
        for block in self.down:
            levels.append(block(nn.functional.max_pool2d(levels[-1], 2)))
        made = levels.pop()
        for block in reversed(self.up):
            larger = nn.functional.interpolate(made, scale_factor=2.0, mode="nearest")
            made = block(torch.cat([larger, levels.pop()], 1))
        return self.out(made)


def _layer(before: int, after: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(before, after, 3, padding=1), nn.ReLU())
