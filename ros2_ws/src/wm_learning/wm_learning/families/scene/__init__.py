"""The family of scenes: an ensemble of object-centred interaction networks that predict the full pose of every object."""

from wm_learning.families.scene.config import SceneConfig
from wm_learning.families.scene.network import SceneNetwork

__all__ = ["SceneConfig", "SceneNetwork"]
