"""All checks of `wm doctor --live`: each reads the record and yields what is wrong. Adding one is adding it here."""

from collections.abc import Callable, Iterator

from wm_bringup.doctor.checks import arm, cameras, machine, pairing, pictures, rig, timing, topics
from wm_bringup.doctor.finding import ERROR, SEVERITIES, Finding
from wm_bringup.doctor.observed import Observed

Check = Callable[[Observed], Iterator[Finding]]
CHECKS: tuple[Check, ...] = (
    topics.missing,
    topics.silent,
    topics.two_publishers,
    topics.qos,
    timing.rates,
    timing.regularity,
    timing.stamps,
    timing.clocks,
    pairing.stamps,
    cameras.encodings,
    cameras.intrinsics,
    cameras.frames,
    cameras.units,
    pictures.colour,
    pictures.depth,
    pictures.frozen,
    pictures.swapped,
    rig.poses,
    arm.joints,
    arm.controller,
    machine.processor,
    machine.memory,
    machine.clock,
)


def examine(observed: Observed) -> list[Finding]:
    """What all checks find, errors first; a check that breaks on what it was given is a finding, and the others still run."""
    found = []
    for check in CHECKS:
        name = f"{check.__module__.rpartition('.')[2]}.{check.__name__}"
        try:
            found += list(check(observed))
        except Exception as error:
            said = f"{type(error).__name__}: {error}"
            found.append(Finding(ERROR, "check", name, "a check that runs", said, "report this, with what was running"))
    return sorted(dict.fromkeys(found), key=lambda each: SEVERITIES.index(each.severity))
