"""Cost terms: what makes a future good. One file each; a new file here, or a module that a task names, adds one.

base.py has the protocol, model.py adds the terms of a task up; every other file is a term, registered under its name.
"""

from wm_planner.costs.base import COSTS, CostContext, CostTerm, Places, PlaceTerm, cost_term, length, outside, shares
from wm_planner.costs.model import CostModel

__all__ = [
    "COSTS",
    "CostContext",
    "CostModel",
    "CostTerm",
    "PlaceTerm",
    "Places",
    "cost_term",
    "length",
    "outside",
    "shares",
]
