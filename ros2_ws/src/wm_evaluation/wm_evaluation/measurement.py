"""What every measurement is given: the bundles to compare, held-out data, and where to simulate."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from wm_core.bundle import Bundle
from wm_data.beliefs import beliefs, embeddings
from wm_data.dataset import Dataset
from wm_evaluation.section import Section
from wm_tasks.settings import TRAINING_SEEDS


@dataclass(frozen=True)
class Seen:
    """What a bundle makes of the held-out data."""

    embedding: np.ndarray  # (T, D)
    mean: np.ndarray  # (T, L) of the belief
    variance: np.ndarray  # (T, L)


@dataclass(frozen=True)
class Context:
    """Bundles by label, the judged one first; `data`: held-out episodes with labels; simulations begin with seed `first_seed`."""

    bundles: dict[str, Bundle]
    data: Dataset
    world: str = "tabletop_block"
    first_seed: int = TRAINING_SEEDS
    effort: float = 1.0  # share of the usual numbers of episodes and windows
    workers: int = 2
    _seen: dict[str, Seen] = field(default_factory=dict, repr=False)

    def seen(self, label: str) -> Seen:
        """What a bundle makes of `data`; computed once."""
        if label not in self._seen:
            embedding = embeddings(self.bundles[label], self.data)
            self._seen[label] = Seen(embedding, *beliefs(self.bundles[label], self.data, embedding))
        return self._seen[label]

    def count(self, usual: int) -> int:
        """How many episodes or windows to take where `usual` are."""
        return max(1, round(self.effort * usual))


# One measurement of all bundles of a context; raises ValueError when the data does not allow it.
Measurement = Callable[[Context], Section]
