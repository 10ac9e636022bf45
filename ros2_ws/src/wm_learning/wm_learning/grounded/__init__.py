"""The `grounded` model family: an object-centred latent with a learned appearance code and ensemble dynamics."""

from wm_learning.grounded.model import GroundedModel, Sizes

__all__ = ["GroundedModel", "Sizes"]
