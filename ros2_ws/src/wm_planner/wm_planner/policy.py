"""The trained policy of a bundle: what to do at once, without a search."""

import numpy as np

from wm_core.bundle import Bundle, BundleError

POLICY = "policy"  # name of a planner: the bundle's policy decides where it is trusted
FALLBACK = "icem"  # searches where it is not
SEEDING = ("auto", "always", "never")  # whether planners search around what a policy intends; auto: if there is one


class Policy:
    """Runs the bundle's graph `intend`: the actions that the policy would take in the model's imagination."""

    def __init__(self, bundle: Bundle, horizon: int) -> None:
        """`horizon`: steps of a plan. Raises BundleError for a bundle without a policy."""
        if not bundle.has("intend"):
            raise BundleError(
                f"{bundle.path}: expected a bundle with a policy, got one without; train one with ./wm policy, or choose"
                " another planner and leave policy_seeds at auto"
            )
        self._bundle = bundle
        self._horizon = horizon

    def intend(self, latent: np.ndarray, goal: np.ndarray) -> np.ndarray:
        """Actions (horizon, A) float32 from a latent (L,) to a goal (2,) [m]; beyond the graph's horizon it stays."""
        inputs = {"latent": latent[None].astype(np.float32), "goal": np.asarray(goal, np.float32)[None]}
        actions = self._bundle.run("intend", **inputs)["actions"][0]
        if len(actions) >= self._horizon:
            return actions[: self._horizon]
        return np.pad(actions, ((0, self._horizon - len(actions)), (0, 0)))


def policy_for(bundle: Bundle, planner: str, seeding: str, horizon: int) -> Policy | None:
    """The policy that a planner follows, or searches around (`seeding` out of SEEDING).

    Raises BundleError where one is asked for and the bundle brings none, ValueError on another `seeding`.
    """
    if seeding not in SEEDING:
        raise ValueError(f"policy_seeds: expected one of {', '.join(SEEDING)}, got '{seeding}'")
    wanted = planner == POLICY or seeding == "always" or (seeding == "auto" and bundle.has("intend"))
    return Policy(bundle, horizon) if wanted else None


def search_of(planner: str) -> str:
    """The search that a planner comes to, sooner or later."""
    return FALLBACK if planner == POLICY else planner
