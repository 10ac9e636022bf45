"""The `jepa` model family: a latent that predicts its own future, without pixels; labels only read it out."""

from wm_learning.families.jepa.config import JepaConfig
from wm_learning.families.jepa.model import JepaModel

__all__ = ["JepaConfig", "JepaModel"]
