"""What the planted faults share: their list, and changes to a record."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from wm_bringup.doctor.finding import Finding
from wm_bringup.doctor.observed import CameraTopics, Heard, Observed, Stream

Plant = Callable[[Observed, np.random.Generator], str]  # changes a record; returns where the finding should point


@dataclass(frozen=True)
class Fault:
    """`check`: code that should find it; `remedy`: words of the remedy that should be named."""

    name: str
    check: str
    remedy: str
    plant: Plant


FAULTS: dict[str, Fault] = {}


def fault(check: str, remedy: str) -> Callable[[Plant], Plant]:
    """Registers a function as the fault of its name."""

    def register(plant: Plant) -> Plant:
        FAULTS[plant.__name__] = Fault(plant.__name__, check, remedy, plant)
        return plant

    return register


def finds(findings: list[Finding], fault: Fault, where: str) -> list[Finding]:
    """Those of the findings that are the planted fault."""
    return [each for each in findings if each.check == fault.check and where in each.subject]


def remedied(found: list[Finding], fault: Fault) -> bool:
    """Whether one of these names the remedy."""
    return any(fault.remedy.lower() in each.remedy.lower() for each in found)


def camera(observed: Observed, rng: np.random.Generator) -> CameraTopics:
    return observed.setup.cameras[int(rng.integers(len(observed.setup.cameras)))]


def image_topic(observed: Observed, rng: np.random.Generator) -> str:
    chosen = camera(observed, rng)
    return str(rng.choice([chosen.colour, chosen.depth]))


def keep(stream: Stream, chosen: np.ndarray) -> None:
    """Only these messages (n,) bool were heard."""
    if len(stream.kept) == len(stream.heard):
        stream.kept = [each for each, yes in zip(stream.kept, chosen, strict=True) if yes]
    stream.heard = [each for each, yes in zip(stream.heard, chosen, strict=True) if yes]


def restamp(stream: Stream, stamp: Callable[[Heard], int]) -> None:
    """Other stamps of the same arrivals."""
    stream.heard = [replace(each, stamp_ns=stamp(each)) for each in stream.heard]
    if len(stream.kept) == len(stream.heard):
        stream.kept = [(each.stamp_ns, message) for each, (_, message) in zip(stream.heard, stream.kept, strict=True)]


def rewrite(stream: Stream, change: Callable[[Any], None]) -> None:
    """Every message that was kept is changed, each once."""
    for message in {id(message): message for _, message in stream.kept}.values():
        change(message)


def set_fields(**fields: Any) -> Callable[[Any], None]:
    def change(message: Any) -> None:
        for name, value in fields.items():
            setattr(message, name, value)

    return change


def endpoints(observed: Observed, chosen: Callable[[Any], bool], **fields: Any) -> None:
    """Endpoints that are chosen get other fields; without fields they are gone."""
    kept = []
    for each in observed.endpoints:
        if not chosen(each):
            kept.append(each)
        elif fields:
            kept.append(replace(each, **fields))
    observed.endpoints = kept
