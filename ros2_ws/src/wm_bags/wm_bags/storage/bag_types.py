"""Message types of a bag: from its own definitions where it has them, else Jazzy's and wm_msgs."""

from collections.abc import Iterable
from typing import Any

from rosbags.typesys import Stores, TypesysError, get_types_from_idl, get_types_from_msg, get_typestore

from wm_bags.storage.contents import Topic
from wm_bags.storage.errors import in_words
from wm_core.bags import typestore

LINE = "=" * 80 + "\n"


class TypesOfBag:
    """Deserialises the messages of a bag's topics."""

    def __init__(self, topics: Iterable[Topic]) -> None:
        self.notes: list[str] = []
        self._problems: dict[str, str] = {}
        self._others: dict[str, Any] = {}  # Jazzy's, of types that the bag defines otherwise than it writes them
        own: dict[str, Any] = {}
        digests: dict[str, str] = {}
        kinds = set()
        for topic in topics:
            kinds.add(topic.type)
            if topic.encoding:  # an empty definition is one of an empty message
                try:
                    own |= _parsed(topic)
                    digests[topic.type] = topic.digest
                except Exception as error:  # rosbags raises many kinds for text that is no definition
                    self._problems[topic.type] = f"its definition in the bag cannot be read ({in_words(error)})"
        # Jazzy's types lend what the bag does not define itself; to register them all takes a while.
        lent = {} if kinds <= set(own) else typestore().fielddefs
        try:
            self._store = _store_of({**lent, **own})
        except TypesysError:  # one of the bag's definitions differs from another of the same type
            self._problems |= dict.fromkeys(own, "definitions in the bag contradict each other: is the file damaged?")
            self._store = _store_of(typestore().fielddefs)
        for kind in kinds - set(self._problems):
            if kind not in self._store.fielddefs:
                self._problems[kind] = "the bag does not define the type, and neither do Jazzy and wm_msgs"
            elif digests.get(kind) and (problem := self._hash_problem(kind, digests[kind])):
                self._problems[kind] = problem

    def problem(self, kind: str) -> str:
        """Why messages of a type cannot be read; empty where they can."""
        return self._problems.get(kind, "")

    def deserialize(self, data: bytes, kind: str) -> Any:
        """A message from CDR, of a type without a problem; raises whatever rosbags raises for bytes that do not fit."""
        if kind in self._others:
            return self._others[kind].deserialize_cdr(data, kind)
        try:
            return self._store.deserialize_cdr(data, kind)
        except Exception:
            jazzy = typestore()
            if jazzy.fielddefs.get(kind) in (None, self._store.fielddefs[kind]):
                raise
            content = jazzy.deserialize_cdr(data, kind)
            self._others[kind] = jazzy
            self.notes.append(f"{kind}: the bag's definition does not fit its messages, Jazzy's does")
            return content

    def _hash_problem(self, kind: str, digest: str) -> str:
        try:
            got = self._store.hash_rihs01(kind)
        except Exception as error:  # a part of the type is missing
            return f"its definition in the bag is not complete ({in_words(error)})"
        return "" if got == digest else f"its definition in the bag has the hash {got[:20]}..., not {digest[:20]}..."


def _parsed(topic: Topic) -> dict[str, Any]:
    if topic.encoding == "ros2msg":
        return dict(get_types_from_msg(topic.definition, topic.type))
    if topic.encoding != "ros2idl":
        raise ValueError(f"expected a definition in ros2msg or ros2idl, got {topic.encoding!r}")
    if not topic.definition.startswith(f"{LINE}IDL: "):
        return dict(get_types_from_idl(topic.definition))
    types: dict[str, Any] = {}
    for part in topic.definition.split(LINE)[1:]:
        types |= get_types_from_idl(part.split("\n", 1)[1])
    return types


def _store_of(types: dict[str, Any]) -> Any:
    store = get_typestore(Stores.EMPTY)
    store.register(types)
    return store
