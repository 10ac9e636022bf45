"""A small synthetic dataset: a tool pushes a disk on a table, drawn straight into map form."""

import numpy as np
import pytest

from wm_core.bundle import BevSpec
from wm_learning.dataset import Dataset
from wm_learning.exploration import Exploration
from wm_learning.settings import ACTION_SCALE, REACH_BOX

OBJECT_RADIUS, TOOL_RADIUS = 0.035, 0.012


def push(tool: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Quasi-static contact: the object gives way along the contact normal."""
    away = target - tool
    overlap = OBJECT_RADIUS + TOOL_RADIUS - np.linalg.norm(away)
    return target + away / np.linalg.norm(away) * overlap if overlap > 0 else target


def draw(spec: BevSpec, tool: np.ndarray, target: np.ndarray) -> np.ndarray:
    """One camera's map (5, rows, columns): grey table, red disk, nothing seen under the tool."""
    x = spec.x_min + (np.arange(spec.rows) + 0.5)[:, None] * spec.cell
    y = spec.y_min + (np.arange(spec.columns) + 0.5)[None] * spec.cell
    disk = np.hypot(x - target[0], y - target[1]) < OBJECT_RADIUS
    bev = np.zeros((5, spec.rows, spec.columns))
    bev[0] = disk * 0.04 / spec.z_max
    bev[1:4] = 0.5
    bev[1], bev[2], bev[3] = np.where(disk, [[[0.9]], [[0.1]], [[0.1]]], 0.5)
    bev[4] = 1
    return bev * (np.hypot(x - tool[0], y - tool[1]) > 0.02)


@pytest.fixture(scope="session")
def dataset() -> Dataset:
    spec, rng = BevSpec(), np.random.default_rng(0)
    rows: dict[str, list] = {name: [] for name in ("bev", "tool", "target", "action", "object", "episode")}
    for episode in range(12):
        explore = Exploration(np.random.default_rng(episode))
        tool, target = np.array([0.32, 0.0]), rng.uniform([0.42, -0.15], [0.58, 0.15])
        for _ in range(40):
            action = explore.action(tool, target)
            following = np.clip(tool + ACTION_SCALE * action, REACH_BOX[0], REACH_BOX[1])
            bev = draw(spec, tool, target)
            rows["bev"].append(np.stack([bev, bev]))
            rows["tool"].append(tool)
            rows["target"].append(tool)
            rows["action"].append((following - tool) / ACTION_SCALE)
            rows["object"].append([*target, 0.0])
            rows["episode"].append(episode)
            for share in np.linspace(0.1, 1, 10):
                target = push(tool + share * (following - tool), target)
            tool = following
    return Dataset(
        bev=np.rint(np.stack(rows["bev"]) * 255).astype(np.uint8),
        episode=np.array(rows["episode"], np.int32),
        world=np.zeros(len(rows["episode"]), np.int16),
        worlds=["synthetic"],
        seeds=list(range(12)),
        **{name: np.array(rows[name], np.float32) for name in ("tool", "target", "action", "object")},
    )
