"""What is measured: the order of the report, and the figures that stand in its summary."""

from dataclasses import dataclass
from importlib import import_module
from types import ModuleType
from typing import Any


@dataclass(frozen=True)
class Headline:
    """A figure of the summary: where it is below a bundle's figures, and how it is written."""

    title: str
    path: tuple[str, ...]
    digits: int = 1
    scale: float = 1.0
    best: str = "low"  # or "high", or "" where neither is better

    def text(self, value: Any) -> str:
        """A number, or an estimate as Estimate.json says it, as text."""
        if value is None:
            return "–"
        if isinstance(value, dict):
            inner = ", ".join(self.text(value[bound]) for bound in ("low", "high"))
            return f"{self.text(value['value'])} [{inner}]"
        return f"{self.scale * value:.{self.digits}f}"


@dataclass(frozen=True)
class Entry:
    """One measurement: a module `wm_evaluation.measurements.NAME` with a function `measure`."""

    name: str
    says: str  # for --help
    headlines: tuple[Headline, ...] = ()

    def module(self) -> ModuleType:
        return import_module(f"wm_evaluation.measurements.{self.name}")


ENTRIES = (
    Entry(
        "closed_loop",
        "goals reached from pixels, beside baselines",
        (
            Headline("goals reached within 2 cm [%]", ("success_2cm",), 0, 100, "high"),
            Headline("steps of an episode, median", ("median_steps",), 0),
            Headline("effort of an episode, mean", ("mean_effort",)),
        ),
    ),
    Entry(
        "open_loop",
        "error of imagined positions by horizon",
        tuple(
            Headline(f"object error after {h} step{'s' * (h > 1)}, moving [mm]", ("object_mm", str(h)))
            for h in (1, 10, 20)
        ),
    ),
    Entry(
        "counterfactual",
        "what another action would have changed, from saved simulator states",
        (
            Headline(
                "what another action changes, right direction [%]",
                ("10", "sign_accuracy"),
                1,
                100,
                "high",
            ),
            Headline("what another action changes, median error [%]", ("10", "median_relative_error"), 0, 100),
        ),
    ),
    Entry(
        "occlusion",
        "how well it is known where an object is that nobody sees",
        (
            Headline("error after 1 s out of sight, pushed, median [cm]", ("1", "median_cm")),
            Headline("within 1.5 cm after 1 s out of sight [%]", ("1", "within_1.5cm"), 0, 100, "high"),
        ),
    ),
    Entry(
        "probes",
        "what linear probes read out of the belief",
        (
            Headline("position from the whole belief, R2", ("whole", "position"), 2, best="high"),
            Headline("velocity from the whole belief, R2", ("whole", "velocity"), 2, best="high"),
            Headline("position from the family's own state alone, R2", ("state", "position"), 2, best="high"),
            Headline("velocity from the family's own state alone, R2", ("state", "velocity"), 2, best="high"),
            Headline("contact from the whole belief, AUROC", ("whole", "contact_auroc"), 2, best="high"),
        ),
    ),
    Entry(
        "intervals",
        "coverage and sharpness of the intervals around them",
        (
            *(
                Headline(
                    f"90 % intervals hold, {h} step{'s' * (h > 1)} [%]", ("best", "coverage", "0.9", str(h)), 1, 100, ""
                )
                for h in (1, 5, 10)
            ),
            Headline("interval score, 10 steps [mm]", ("best", "score_mm", "10"), 2),
            Headline("correlation of error and doubt, 10 steps", ("correlation", "deviation", "10"), 2, best="high"),
        ),
    ),
    Entry(
        "out_of_distribution",
        "whether other worlds are noticed: friction, mass, looks, light, cameras, objects in the way",
        (Headline("AUROC of novelty, mean of factors", ("mean_auroc",), 3, best="high"),),
    ),
    Entry(
        "surprise",
        "whether sudden events are noticed: the object teleported, vanished, repainted",
        (Headline("AUROC of novelty, mean of events", ("auroc", "mean"), 3, best="high"),),
    ),
    Entry(
        "audit",
        "what imagined futures do that no real one may",
        tuple(
            Headline(f"futures with {kind} [%]", (kind,), 1, 100)
            for kind in ("penetration", "teleport", "motion without contact", "energy from nothing")
        ),
    ),
    Entry(
        "imagined_success",
        "whether imagination alone puts policies in the right order",
        (Headline("rank correlation of success, imagined and real", ("spearman",), 2, best="high"),),
    ),
    Entry("film", "imagined beside real, in pictures"),
    Entry(
        "cost",
        "time and energy of training and decisions",
        (
            Headline("decision, p50 [ms]", ("parts", "decision", "p50_ms")),
            Headline("decision, CPU time [ms]", ("parts", "decision", "cpu_ms")),
            Headline("policy alone, p50 [ms]", ("parts", "policy", "p50_ms"), 2),
            Headline("training [min]", ("training_s",), 1, 1 / 60),
        ),
    ),
)
NAMES = tuple(entry.name for entry in ENTRIES)
