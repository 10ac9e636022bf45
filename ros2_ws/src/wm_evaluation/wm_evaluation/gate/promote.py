"""Promoting a bundle: through the gate into the registry, from where running robots take it."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from html import escape
from pathlib import Path
from typing import Any

from wm_core.bundle import Bundle
from wm_core.config import SettingError
from wm_core.registry import Registry
from wm_core.revision import revision
from wm_data.labels import LABELS, RECORDED
from wm_evaluation.gate.limits import NEW, OLD, Criterion, Limits, judge
from wm_evaluation.gate.measure import forgotten_worlds, latency_ms, measure, trained_worlds
from wm_evaluation.kept import plain, write
from wm_evaluation.measurement import Context
from wm_evaluation.page import page_html, table_html
from wm_evaluation.section import Table
from wm_tasks.settings import TRAINING_SEEDS

GOALS = 50
HEADER = ("domain", "measure", "promoted", "candidate", "change [95 %]", "limit", "verdict", "passed")
PROTOCOL = """\
Both bundles are given the same goals from the same starts (seeds from {seed}, {goals} in each world, at most 10 s of robot time,
lockstep, iCEM) and the same held-out windows. Changes are paired, by goal and by window; their intervals are bootstraps over
goals and over episodes. Error: of the imagined object after 10 steps of recorded actions, windows in which it moves more than 1 cm;
objects of given data are labelled as {labels}, those of data that the gate collects by the simulator.
The new domain must be better in one measure, with the interval of the change beyond 0, and worse in none; in the old one nothing
may be lost beyond the limit. A goal that is missed counts with the whole time. Calibration is asked of the candidate at 1, 5 and
10 steps together."""


@dataclass(frozen=True)
class GateSettings:
    """How thoroughly the gate looks."""

    goals: int = GOALS  # in each world
    first_seed: int = TRAINING_SEEDS
    workers: int = 2
    limits: Limits = field(default_factory=Limits)
    labels: str = RECORDED  # of the objects in given data, as in fine-tuning: DEPTH, as if no truth were recorded

    def __post_init__(self) -> None:
        if self.labels not in LABELS:
            raise SettingError(f"expected labels out of {', '.join(LABELS)}, got '{self.labels}'")


@dataclass(frozen=True)
class Verdict:
    """What came of it."""

    candidate: str  # ids
    against: str
    criteria: tuple[Criterion, ...]
    forced: str  # why it was promoted in spite of the criteria; empty: it was not
    date: str
    notes: tuple[str, ...] = ()
    report: str = ""  # file

    @property
    def passed(self) -> bool:
        """Whether every criterion is met."""
        return bool(self.criteria) and all(row.passed for row in self.criteria)

    @property
    def promoted(self) -> bool:
        """Whether the registry points to the candidate now."""
        return self.passed or bool(self.forced)

    @property
    def reason(self) -> str:
        """In one line, for the registry."""
        if self.forced:
            return self.forced
        failed = [f"{row.domain}: {row.measure}: {row.verdict}" for row in self.criteria if not row.passed]
        return "; ".join(failed) or "passed the gate"

    def table(self) -> str:
        """As text with aligned columns."""
        rows = [HEADER, *self._rows()]
        widths = [max(len(row[i]) for row in rows) for i in range(len(HEADER))]
        return "\n".join("  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip() for row in rows)

    def json(self) -> dict[str, Any]:
        """For the registry and gate.json."""
        rows = [row.json() for row in self.criteria]
        facts = {name: getattr(self, name) for name in ("candidate", "against", "passed", "forced", "date", "report")}
        return plain({**facts, "revision": revision(), "notes": self.notes, "criteria": rows})

    def html(self, protocol: str) -> str:
        verdict = "passed" if self.passed else f"forced: {self.forced}" if self.forced else "refused"
        title = f"{self.candidate} against {self.against}: {verdict}"
        parts = [f"<p>{escape(note)}</p>" for note in self.notes]
        body = [
            f'<h1>{escape(title)}</h1><p class="soft">{escape(self.date)} UTC, wm {escape(revision())}</p>',
            f"<section><h2>The gate</h2>{table_html(Table(HEADER, self._rows()))}</section>",
            f'<section><h2>How it was measured</h2><p class="protocol">{escape(protocol)}</p>{"".join(parts)}</section>',
        ]
        return page_html(title, body)

    def _rows(self) -> list[tuple[str, ...]]:
        return [
            (r.domain, r.measure, r.promoted, r.candidate, r.change, r.limit, r.verdict, "yes" if r.passed else "NO")
            for r in self.criteria
        ]


def promote(
    candidate: str | Path,
    new: Sequence[str | Path] = (),
    old: Sequence[str | Path] = (),
    *,
    settings: GateSettings | None = None,
    registry: Registry | None = None,
    force: str = "",
    bags: Sequence[str] = (),
    out: Path | None = None,
) -> Verdict:
    """Judge a bundle beside the promoted one and promote or refuse it; both are recorded in the registry.

    `candidate`: a folder, which is added to the registry, or an id in it. `new`, `old`: worlds (names or files) and data
    (datasets, bags, folders of bags) of the domain in which it must be better, and of that in which nothing may be lost (default:
    the worlds that the promoted one was trained on). `force`: a reason to promote whatever the verdict; without `new` nothing is
    measured then. `bags`: names of the recordings it was trained on. `out`: folder of gate.html and gate.json.
    Raises ValueError (BundleError, RegistryError, SettingError, WorldError among them) for what cannot be judged at all.
    """
    if not new and not force:
        raise SettingError("expected --new: a world or data in which the bundle is to be better than the promoted one")
    settings, registry = settings or GateSettings(), registry or Registry()
    id = _registered(registry, candidate, bags)
    against = registry.promoted().id
    if id == against:
        raise SettingError(f"expected another bundle than the promoted one, got {id}")
    bundles = {OLD: Bundle.load(registry.path(against)), NEW: Bundle.load(registry.path(id))}
    out = Path("runs/promote") / id if out is None else out
    date = datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M:%S")
    criteria: list[Criterion] = []
    notes: list[str] = []
    report = ""
    if new:
        criteria, notes = _judge(bundles, new, old, settings, out)
        report = str((out / "gate.html").absolute())
    verdict = Verdict(id, against, tuple(criteria), force, date, tuple(notes), report)
    if report:
        protocol = PROTOCOL.format(seed=settings.first_seed, goals=settings.goals, labels=settings.labels)
        write(out / "gate.json", json.dumps({"protocol": protocol, **verdict.json()}, indent=1) + "\n")
        write(out / "gate.html", verdict.html(protocol))
    if verdict.promoted:
        registry.promote(id, verdict.reason, verdict.json(), forced=not verdict.passed)
    else:
        registry.refuse(id, verdict.reason, verdict.json())
    return verdict


def _registered(registry: Registry, candidate: str | Path, bags: Sequence[str]) -> str:
    folder = Path(candidate).expanduser()
    if folder.is_dir():
        return registry.add(folder, "to be promoted", bags).id
    return registry.path(str(candidate)).name


def _judge(
    bundles: dict[str, Bundle],
    new: Sequence[str | Path],
    old: Sequence[str | Path],
    settings: GateSettings,
    out: Path,
) -> tuple[list[Criterion], list[str]]:
    work, found = out.parent / "data", {}
    contexts: list[Context] = []
    notes: list[str] = []
    if not old and (left_out := forgotten_worlds(bundles[OLD])):
        notes.append(
            f"The promoted bundle also knows {', '.join(left_out)}, not looked at: give world files or data with --old."
        )
    for side, given in ((NEW, new), (OLD, old or trained_worlds(bundles[OLD]))):
        print(f"{side} domain: {', '.join(map(str, given))}", flush=True)
        domain, mine, sentences = measure(
            bundles, given, work, settings.goals, settings.first_seed, settings.workers, settings.labels
        )
        found[side] = domain
        contexts += mine
        notes += sentences
    return judge(found[NEW], found[OLD], latency_ms(contexts[-1]), settings.limits), notes
