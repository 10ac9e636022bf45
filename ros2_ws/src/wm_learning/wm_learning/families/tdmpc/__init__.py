"""The `tdmpc` model family: simplicial latents shaped by reward and value, and a value at the end of the planning horizon."""

from wm_learning.families.tdmpc.config import TdmpcConfig
from wm_learning.families.tdmpc.model import TdmpcModel

__all__ = ["TdmpcConfig", "TdmpcModel"]
