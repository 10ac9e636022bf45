"""The `grounded` model family: an object-centred latent with a learned appearance code and ensemble dynamics."""

from wm_learning.families.grounded.config import GroundedConfig
from wm_learning.families.grounded.model import GroundedModel

__all__ = ["GroundedConfig", "GroundedModel"]
