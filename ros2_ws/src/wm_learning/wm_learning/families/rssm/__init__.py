"""The `rssm` model family: a recurrent state-space model, whose samples are the branches of its futures."""

from wm_learning.families.rssm.config import RssmConfig
from wm_learning.families.rssm.model import RssmModel

__all__ = ["RssmConfig", "RssmModel"]
