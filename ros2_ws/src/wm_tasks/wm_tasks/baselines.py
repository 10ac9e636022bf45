"""A policy to compare with that sees nothing. It maps positions to one action, as an expert does."""

import numpy as np


class RandomPolicy:
    """Uniform directions that last a few steps: the floor of every table."""

    def __init__(self, seed: int) -> None:
        self._rng = np.random.default_rng(seed)
        self._left = 0
        self._action = np.zeros(2)

    def __call__(self, tool: np.ndarray, target: np.ndarray, goal: np.ndarray) -> np.ndarray:
        if self._left == 0:
            angle = self._rng.uniform(-np.pi, np.pi)
            self._action, self._left = np.array([np.cos(angle), np.sin(angle)]), int(self._rng.integers(3, 10))
        self._left -= 1
        return self._action
