"""Model families: each trains from the same datasets and exports the same graphs."""

from wm_learning.families.base import Sizes, WorldModel
from wm_learning.families.grounded import GroundedConfig, GroundedModel
from wm_learning.families.jepa import JepaConfig, JepaModel
from wm_learning.families.rssm import RssmConfig, RssmModel
from wm_learning.families.tdmpc import TdmpcConfig, TdmpcModel

__all__ = ["FAMILIES", "Sizes", "WorldModel"]

# Family -> its configuration and its model, which is made from one.
FAMILIES: dict[str, tuple[type, type[WorldModel]]] = {
    "grounded": (GroundedConfig, GroundedModel),
    "jepa": (JepaConfig, JepaModel),
    "rssm": (RssmConfig, RssmModel),
    "tdmpc": (TdmpcConfig, TdmpcModel),
}
