"""What out-of-distribution and surprise detection share: courses of the runtime's scores, and AUROC with intervals."""

from collections.abc import Callable

import numpy as np

from wm_dynamics.novelty import Novelty
from wm_evaluation.stage import Stage
from wm_evaluation.stats import LEVEL, RESAMPLES, Estimate, auroc
from wm_tasks.experts import make_expert
from wm_tasks.explorers import make_explorer
from wm_tasks.settings import OBJECT_REGION, REACH, TASK

Act = Callable[[np.ndarray, np.ndarray], np.ndarray]  # action (2,) for commanded tool and true object position (2,) [m]
Event = Callable[[Stage, np.random.Generator], None]
Course = dict[str, list[Novelty]]  # of each bundle, step by step


class Work:
    """Pushes the object to one goal after another."""

    NEXT = 0.015  # [m] from the goal

    def __init__(self, seed: int) -> None:
        self._rng, self._pusher, self._goal = np.random.default_rng(seed), make_expert(TASK), np.full(2, np.nan)

    def __call__(self, tool: np.ndarray, object_xy: np.ndarray) -> np.ndarray:
        while not np.linalg.norm(object_xy - self._goal) > self.NEXT:
            self._goal = self._rng.uniform(*OBJECT_REGION)
        return self._pusher(tool, object_xy, self._goal)


def explore(seed: int) -> Act:
    """As in data collection."""
    return make_explorer(TASK, REACH, np.random.default_rng(seed)).action


def course(stage: Stage, seed: int, steps: int, act: Act, event: Event | None = None, at: int = 0) -> Course:
    """Novelty along an episode, at most `steps` long; `event` happens right before step `at` is seen."""
    stage.reset(seed)
    found: Course = {label: [] for label in stage.labels}
    for step in range(steps):
        if event is not None and step == at:
            event(stage, np.random.default_rng(seed))
        elif not stage.within_reach:
            break
        for label, state in stage.observe().items():
            found[label].append(state.novelty)
        stage.act(act(stage.drive.commanded, stage.object))
    return found


def detection(positive: np.ndarray, negative: np.ndarray) -> Estimate:
    """AUROC of scores (n,) and (m,) with a bootstrap interval over both (seeded)."""
    rng = np.random.default_rng(0)
    drawn = [auroc(rng.choice(positive, len(positive)), rng.choice(negative, len(negative))) for _ in range(RESAMPLES)]
    low, high = np.quantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Estimate(auroc(positive, negative), float(low), float(high))


def signal(novelty: Novelty, name: str) -> float:
    """The level of one signal, or of all together for 'novelty'; 0 for one that a bundle has not."""
    return novelty.value if name == "novelty" else novelty.levels.get(name, 0.0)
