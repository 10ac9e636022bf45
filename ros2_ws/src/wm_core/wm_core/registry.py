"""The local registry of model bundles: which there are, where they come from, and which one the robot is to run.

A folder with `registry.json` (entries and history), the bundles in `bundles/ID`, and a lock. Data is written and synced
before what names it, and every file and folder appears in one rename, so a kill at any moment leaves the state before or
after a change. The shipped bundle is the root: a registry that is not there yet is made with it.
"""

import fcntl
import hashlib
import json
import math
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import yaml

from wm_core.atomic import sync_folder, synced_copy, write_synced
from wm_core.bundle import Bundle, sha256
from wm_core.bundle_conversion import convert, converted_text
from wm_core.paths import bundles_dir, registry_dir
from wm_core.registry_schema import FILE_SCHEMA, ID_PATTERN, faults

FILE, LOCK, BUNDLES = "registry.json", "registry.lock", "bundles"
# Kinds of events: the first entry, a bundle that passed the gate, one that was promoted in spite of it or without it, one that
# did not pass, and a return to one before.
STARTED, PROMOTED, FORCED, REFUSED, ROLLED_BACK = "started", "promoted", "forced", "refused", "rolled back"


class RegistryError(ValueError):
    """A registry or an entry that cannot be used: says what was expected, what came and what to do."""


@dataclass(frozen=True)
class Entry:
    """One bundle and where it comes from."""

    id: str
    family: str
    sha256: str  # of bundle.yaml, which holds those of the other files
    added: str  # date, UTC
    base: str = ""  # id of the bundle it was trained from
    data: Mapping[str, str] = field(default_factory=dict)  # name -> fingerprint of a dataset it was trained on
    bags: tuple[str, ...] = ()  # recordings it was trained on
    metrics: Mapping[str, Any] = field(default_factory=dict)  # as its training measured them
    why: str = ""  # it was added
    gates: tuple[Mapping[str, Any], ...] = ()  # verdicts, the newest last


@dataclass(frozen=True)
class Event:
    """Something that happened to the pointer, or was refused."""

    kind: str
    id: str
    date: str  # UTC
    why: str = ""


@dataclass(frozen=True)
class State:
    """What `registry.json` says."""

    entries: Mapping[str, Entry]
    history: tuple[Event, ...]

    @property
    def in_use(self) -> tuple[str, ...]:
        """Ids of the promoted bundle (the last) and of those to which can be rolled back, in the order of their promotion."""
        stack: list[str] = []
        for event in self.history:
            if event.kind in (STARTED, PROMOTED, FORCED):
                stack.append(event.id)
            elif event.kind == ROLLED_BACK:
                stack.pop()
                while stack[-1] != event.id:
                    stack.pop()
        return tuple(stack)

    @property
    def promoted(self) -> str:
        """Id of the bundle that the robot is to run."""
        return self.in_use[-1]


class Registry:
    """Access to one registry; every method reads the newest state, changes hold the lock."""

    def __init__(self, folder: str | Path | None = None) -> None:
        """Opens the registry in `folder` (default: that of this machine), or makes one whose root is the shipped bundle."""
        self.folder = registry_dir() if folder is None else Path(folder).expanduser().absolute()
        if not (self.folder / FILE).is_file():
            with self._locked():
                if not (self.folder / FILE).is_file():
                    self._begin()

    # -- reading -------------------------------------------------------------------------------------------------

    def state(self) -> State:
        """The newest state; raises RegistryError, naming the file and what is wrong in it."""
        file = self.folder / FILE
        try:
            document = json.loads(file.read_text())
        except FileNotFoundError as error:
            raise RegistryError(f"expected a registry of bundles with {file}, found none") from error
        except (json.JSONDecodeError, UnicodeDecodeError) as error:
            raise RegistryError(
                f"{file}: expected JSON, got {error}; restore it from a copy, or move the folder away to begin anew"
            ) from error
        for fault in faults(document):
            raise RegistryError(f"{file}: {fault}; restore it from a copy, or move the folder away to begin anew")
        entries = {
            id: Entry(id, **{**values, "bags": tuple(values["bags"]), "gates": tuple(values["gates"])})
            for id, values in document["entries"].items()
        }
        state = State(entries, tuple(Event(**event) for event in document["history"]))
        self._check(file, state, document["promoted"])
        return state

    def promoted(self) -> Entry:
        """The bundle that the robot is to run."""
        state = self.state()
        return state.entries[state.promoted]

    def path(self, id: str) -> Path:
        """Folder of a bundle; raises RegistryError when it is unknown, missing, or not what was added."""
        entry = self._known(self.state(), id)
        folder = self.folder / BUNDLES / id
        file = folder / "bundle.yaml"
        if not file.is_file():
            raise RegistryError(f"expected {file} of the bundle '{id}', found none; copy the bundle there again")
        if (found := sha256(file)) != entry.sha256:
            raise RegistryError(
                f"{file}: expected sha256 {entry.sha256[:12]}..., got {found[:12]}...; it is not the bundle that was added,"
                " copy that one there again"
            )
        return folder

    # -- changing ------------------------------------------------------------------------------------------------

    def add(self, source: str | Path, why: str = "", bags: Sequence[str] = (), id: str | None = None) -> Entry:
        """Verify a bundle folder and copy it into the registry; one that is there already is left as it is.

        `bags`: names of the recordings it was trained on. `id`: a new one for the copy. Raises BundleError for a bundle
        that cannot be used, RegistryError for another bundle under an id that is taken.
        """
        bundle = Bundle.load(source)
        spec = bundle.spec if id is None else {**bundle.spec, "id": id}
        with self._locked():
            state = self.state()
            known = state.entries.get(spec["id"])
            if known is not None and id is None and known.sha256 == sha256(bundle.path / "bundle.yaml"):
                return known
            if known is not None:
                raise RegistryError(
                    f"{source}: the registry holds another bundle with the id '{known.id}', added {known.added}; add this one"
                    " under a new id: ./wm bundles add FOLDER --as ID"
                )
            entry = self._store(bundle, spec, why, bags)
            self._write(State({**state.entries, entry.id: entry}, state.history))
            return entry

    def promote(self, id: str, why: str, gate: Mapping[str, Any] | None = None, forced: bool = False) -> Entry:
        """Point to a bundle; `gate`: the verdict to be kept with it, `forced`: in spite of it."""
        return self._event(id, FORCED if forced else PROMOTED, why, gate)

    def refuse(self, id: str, why: str, gate: Mapping[str, Any] | None = None) -> Entry:
        """Record that a bundle did not pass; the pointer stays."""
        return self._event(id, REFUSED, why, gate)

    def rollback(self, why: str, to: str | None = None, only_from: str | None = None) -> Entry:
        """Point to the bundle before, or to an earlier one; returns the entry that is promoted then.

        `only_from`: nothing is changed unless this is the promoted one: somebody else may have changed it meanwhile.
        """
        with self._locked():
            state = self.state()
            in_use = state.in_use
            if only_from is not None and in_use[-1] != only_from:
                return state.entries[in_use[-1]]
            before = in_use[:-1]
            if not before:
                raise RegistryError(f"expected a bundle before '{in_use[-1]}', it is the first one")
            if to is not None and to not in before:
                raise RegistryError(f"expected one of {', '.join(dict.fromkeys(before))}, got '{to}'")
            id = before[-1] if to is None else to
            self.path(id)
            self._write(replace(state, history=(*state.history, Event(ROLLED_BACK, id, _now(), why))))
            return state.entries[id]

    def convert(self, id: str) -> Entry:
        """Bring a bundle of schema 1 to the present one, in its place; one that was killed meanwhile is finished by the next.

        Raises BundleError for a bundle that cannot be converted.
        """
        with self._locked():
            state = self.state()
            folder = self.folder / BUNDLES / self._known(state, id).id
            digest = hashlib.sha256(converted_text(folder).encode()).hexdigest()
            entry = replace(state.entries[id], sha256=digest)
            self._write(State({**state.entries, id: entry}, state.history))
            convert(folder)
            return entry

    # -- inside --------------------------------------------------------------------------------------------------

    def _begin(self) -> None:
        bundle = Bundle.load(bundles_dir() / "default")
        entry = self._store(bundle, bundle.spec, "shipped", ())
        self._write(State({entry.id: entry}, (Event(STARTED, entry.id, entry.added, "shipped"),)))

    def _event(self, id: str, kind: str, why: str, gate: Mapping[str, Any] | None) -> Entry:
        if kind != REFUSED:
            self.path(id)  # what the robot is to load is there
        with self._locked():
            state = self.state()
            entry = self._known(state, id)
            if kind != REFUSED and id == state.promoted:
                raise RegistryError(f"expected another bundle than the promoted one, got '{id}'")
            if gate is not None:
                entry = replace(entry, gates=(*entry.gates, gate))
            history = (*state.history, Event(kind, id, _now(), why))
            self._write(State({**state.entries, id: entry}, history))
            return entry

    def _known(self, state: State, id: str) -> Entry:
        if id not in state.entries:
            raise RegistryError(
                f"expected a bundle out of {', '.join(state.entries)}, got '{id}'; ./wm bundles lists them"
            )
        return state.entries[id]

    def _check(self, file: Path, state: State, promoted: str) -> None:
        try:
            unknown = [event.id for event in state.history if event.id not in state.entries]
            if unknown or state.promoted != promoted:
                raise ValueError
        except (ValueError, IndexError):
            raise RegistryError(
                f"{file}: expected a history that leads to the promoted bundle '{promoted}'; restore it from a copy, or move"
                " the folder away to begin anew"
            ) from None

    def _store(self, bundle: Bundle, spec: Mapping[str, Any], why: str, bags: Sequence[str]) -> Entry:
        """Copy a bundle; it is whole and on the disk before its folder has its name."""
        id = spec["id"]
        if not ID_PATTERN.fullmatch(id):
            raise RegistryError(f"{bundle.path}: expected an id of letters, digits, '_', '.' and '-', got '{id}'")
        folder = self.folder / BUNDLES / id
        part = folder.with_name(f".{id}.part")
        for left in (*folder.parent.glob(".*.part"), folder):  # of killed writers: no entry names them
            shutil.rmtree(left, ignore_errors=True)
        part.mkdir(parents=True)
        for name in spec["files"]:
            synced_copy(bundle.path / name, part / name)
        if spec["id"] == bundle.id:
            synced_copy(bundle.path / "bundle.yaml", part / "bundle.yaml")
        else:
            text = yaml.safe_dump(dict(spec), sort_keys=False, default_flow_style=None, width=140)
            write_synced(part / "bundle.yaml", text)
        sync_folder(part)
        part.rename(folder)
        sync_folder(folder.parent)
        return _entry(spec, sha256(folder / "bundle.yaml"), why, bags)

    def _write(self, state: State) -> None:
        entries = {}
        for id, entry in state.entries.items():
            values = asdict(entry)
            del values["id"]
            entries[id] = values
        document = {
            "schema": FILE_SCHEMA,
            "promoted": state.promoted,
            "entries": entries,
            "history": [asdict(event) for event in state.history],
        }
        part = self.folder / f".{FILE}.part"
        write_synced(part, json.dumps(document, indent=1, allow_nan=False) + "\n")
        part.replace(self.folder / FILE)
        sync_folder(self.folder)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Only one process or thread changes the registry; the kernel frees the lock of one that is killed."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with open(self.folder / LOCK, "w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield


def _entry(spec: Mapping[str, Any], digest: str, why: str, bags: Sequence[str]) -> Entry:
    """What a bundle says of its origin."""
    data = spec.get("data") or {}
    parts = {name: part["fingerprint"] for name, part in (data.get("parts") or {}).items()}
    if not parts and data.get("fingerprint"):
        parts = {"training": data["fingerprint"]}
    base = (data.get("training") or {}).get("base", "")
    named = (*(data.get("bags") or ()), *bags)
    metrics = _without_nan(spec.get("metrics") or {})
    return Entry(spec["id"], spec["family"], digest, _now(), base, parts, named, metrics, why)


def _without_nan(values: Any) -> Any:
    """Metrics as JSON can say them: what could not be measured (NaN) is null."""
    if isinstance(values, Mapping):
        return {key: _without_nan(value) for key, value in values.items()}
    return None if isinstance(values, float) and not math.isfinite(values) else values


def _now() -> str:
    return datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M:%S")
