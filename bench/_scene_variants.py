"""Models and settings that lack something, to see what it adds."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from wm_dynamics.scene_belief import SceneBelief
from wm_dynamics.scene_model import SceneFutures, SceneModel
from wm_planner.scene.decision import SceneSettings

VARIANTS = {
    "unadapted": "wm without inferring friction and mass from how objects move",
    "one member": "wm with one member of the ensemble",
    "no messages": "wm with a model in which objects do not move each other",
    "as proposed": "wm without a search: the best proposal is carried out as it is",
    "few proposals": "wm with 8 proposals in place of 112",
}


class OneMember(SceneModel):
    """The first member alone."""

    def imagine(self, *given: Any, **named: Any) -> SceneFutures:
        futures = super().imagine(*given, **{**named, "every": True})
        return replace(
            futures, states=futures.states[:1], variances=futures.variances[:1], contacts=futures.contacts[:1]
        )


class NoMessages(SceneModel):
    """Each object as if it were alone."""

    def _facts(self, belief: SceneBelief, code: np.ndarray) -> dict[str, np.ndarray]:
        return {**super()._facts(belief, code), "pairs": np.zeros((2, 1), np.int64)}


MODELS: dict[str, type[SceneModel]] = {"one member": OneMember, "no messages": NoMessages}
SETTINGS: dict[str, Callable[[SceneSettings], SceneSettings]] = {
    "as proposed": lambda usual: replace(usual, refining=False),
    "few proposals": lambda usual: replace(usual, proposals=8, looks=1),
}
