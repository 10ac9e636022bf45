"""Model families: each trains from the same datasets and exports the same graphs.

A family is a folder: config.py, model.py, and training.py, which knows the model; the model does not know it.
"""

from collections.abc import Callable
from typing import NamedTuple, Protocol

import numpy as np

from wm_core.config import SettingError
from wm_data.dataset import Dataset
from wm_learning.families.base import Sizes, WorldModel
from wm_learning.families.grounded import GroundedConfig, GroundedModel
from wm_learning.families.grounded.training import GroundedTraining
from wm_learning.families.jepa import JepaConfig, JepaModel
from wm_learning.families.jepa.training import JepaTraining
from wm_learning.families.rssm import RssmConfig, RssmModel
from wm_learning.families.rssm.training import RssmTraining
from wm_learning.families.tdmpc import TdmpcConfig, TdmpcModel
from wm_learning.families.tdmpc.training import TdmpcTraining
from wm_learning.families.training import Training
from wm_learning.training.trainer import Phase

__all__ = ["FAMILIES", "Family", "Sizes", "WorldModel", "phases", "pretraining"]


class Phased(Protocol):
    """What trains a model in phases."""

    def phases(self) -> list[Phase]: ...


class Family(NamedTuple):
    """A configuration, the model that is made from it, and what trains the model."""

    config: type
    model: type[WorldModel]
    # Of a model, a dataset, and the numbers of its episodes to train on and to stop early by.
    training: Callable[[WorldModel, Dataset, np.ndarray, np.ndarray], Phased]


FAMILIES = {
    "grounded": Family(GroundedConfig, GroundedModel, GroundedTraining),
    "jepa": Family(JepaConfig, JepaModel, JepaTraining),
    "rssm": Family(RssmConfig, RssmModel, RssmTraining),
    "tdmpc": Family(TdmpcConfig, TdmpcModel, TdmpcTraining),
}


def phases(model: WorldModel, data: Dataset, episodes: np.ndarray, held_out: np.ndarray) -> list[Phase]:
    """How a model is trained on some episodes of a dataset, stopped early by others, as its family does."""
    return FAMILIES[model.family].training(model, data, episodes, held_out).phases()


def pretraining(model: WorldModel, video: Dataset, steps: int) -> list[Phase]:
    """What may come before: `steps` steps on video, which has neither commands nor labels; raises SettingError, DatasetError."""
    training = FAMILIES[model.family].training
    if not (isinstance(training, type) and issubclass(training, Training)):
        raise SettingError(f"expected a family that learns from video (pretrain=), got '{model.family}'")
    return training.on_video(model, video).pretraining(steps)
