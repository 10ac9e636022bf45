"""Who publishes what: topics that nobody publishes, that are silent, of another type, published twice, or that cannot be heard."""

import difflib
from collections.abc import Iterator
from itertools import product

from wm_bringup.doctor.finding import ERROR, WARNING, Finding
from wm_bringup.doctor.observed import IMAGE, INFO, JOINTS, Endpoint, Observed

OWN_OF_ROS = ("/rosout", "/parameter_events")
SUGGESTED = 3
DEPTH_WORDS, OTHER_WORDS = ("depth",), ("depth", "infra", "/ir", "mono")


def missing(observed: Observed) -> Iterator[Finding]:
    """Nobody publishes, or something of another type."""
    for topic, kind in observed.setup.types.items():
        publishers = observed.publishers(topic)
        if any(each.type == kind for each in publishers):
            continue
        severity = WARNING if kind == INFO else ERROR  # without one, the rig's intrinsics are used
        if publishers:
            came = f"{publishers[0].type} of {publishers[0].node}"
            yield Finding(severity, "topic_type", topic, kind, came, f"{_parameter(observed, topic)} a topic of {kind}")
            continue
        others = _meant(observed, topic, kind)
        seen = f"nobody publishes it; of this type there are {', '.join(others)}" if others else "nobody publishes it"
        remedy = (
            f"start its driver, or {_parameter(observed, topic)} {others[0]}"
            if others
            else "start its driver; with the same ROS_DOMAIN_ID and namespace?"
        )
        compressed = [
            each.topic for each in observed.endpoints if each.publishes and each.topic.startswith(f"{topic}/")
        ]
        if compressed:
            seen += f"; but {', '.join(sorted(set(compressed)))}"
            remedy += "; perception reads raw images: switch them on in the driver, or run image_transport's republish"
        yield Finding(severity, "topic_missing", topic, f"a publisher of {kind}", seen, remedy)


def silent(observed: Observed) -> Iterator[Finding]:
    """Somebody publishes, and nothing comes."""
    for topic, kind in observed.setup.types.items():
        offers = [each for each in observed.publishers(topic) if each.type == kind]
        if offers and not observed.stream(topic).heard:
            seconds = (observed.end_ns - observed.begin_ns) / 1e9
            yield Finding(
                WARNING if kind == INFO else ERROR,
                "topic_silent",
                topic,
                f"messages of {offers[0].node}",
                f"none in {seconds:.0f} s",
                "look at that driver's log: does it stream, is the device plugged in? Large messages get lost where /dev/shm is"
                " full or another Fast DDS profile is used (./wm doctor)",
            )


def two_publishers(observed: Observed) -> Iterator[Finding]:
    """Two sources of what only one can know, or two that command one arm."""
    for topic, kind in [*observed.setup.types.items(), (observed.setup.controller_topic, "")]:
        nodes = [each.node for each in observed.publishers(topic)]
        if len(nodes) < 2 or (kind == JOINTS and len(nodes) <= _separate_joint_sets(observed)):
            continue
        yield Finding(
            ERROR,
            "two_publishers",
            topic,
            "one publisher",
            f"{len(nodes)}: {', '.join(sorted(nodes))}",
            "end all but one, or remap: an old driver, a second launch, a replayed bag, a joint_state_publisher, teleoperation?",
        )


def qos(observed: Observed) -> Iterator[Finding]:
    """Subscriptions that ask for more than is offered stay deaf, and nobody says so.

    A node that also asks for less, as the guard does of what may be latched or not, hears by that.
    """
    mine = {*observed.setup.types, observed.setup.controller_topic}
    topics = dict.fromkeys(each.topic for each in observed.endpoints if each.topic not in OWN_OF_ROS)
    for topic in topics:
        wishes = observed.subscriptions(topic)
        for offer, wish in product(observed.publishers(topic), wishes):
            if any(other.node == wish.node and not _missed(offer, other) for other in wishes):
                continue
            for wanted, offered, policy in _missed(offer, wish):
                yield Finding(
                    ERROR if topic in mine else WARNING,
                    f"qos_{policy}",
                    topic,
                    f"{wanted}, as {wish.node} asks",
                    f"{offered}, as {offer.node} offers: it hears nothing",
                    f"set the {policy} of {wish.node}'s subscription to {offered}, or of {offer.node}'s publisher to {wanted}"
                    " (qos_overrides, or the driver's qos parameters)",
                )


def _missed(offer: Endpoint, wish: Endpoint) -> list[tuple[str, str, str]]:
    """What a subscription asks for, what is offered in place of it, and of which policy; empty: it hears this publisher."""
    found = []
    if wish.reliable and not offer.reliable:
        found.append(("reliable", "best effort", "reliability"))
    if wish.latched and not offer.latched:
        found.append(("transient local", "volatile", "durability"))
    return found


def _separate_joint_sets(observed: Observed) -> int:
    """How many sets of joints come that have none in common: drivers of arm and gripper may share the topic."""
    found: list[set[str]] = []
    for names in {frozenset(message.name) for _, message in observed.stream(observed.setup.joint_topic).kept}:
        if any(names & other for other in found):
            return 1
        found.append(set(names))
    return len(found)


def _parameter(observed: Observed, topic: str) -> str:
    """What to set so that another topic is read."""
    for camera in observed.setup.cameras:
        for kind in ("colour", "depth", "info"):
            if getattr(camera, kind) == topic:
                return (
                    f"set {kind}_topic of wm_perception (--{kind}-topic here; {{camera}} stands for {camera.name}) to"
                )
    return "set topics.joint_states of the robot's profile (--joint-topic here) to"


def _meant(observed: Observed, topic: str, kind: str) -> list[str]:
    """Published topics of the type that nothing else is expected on, the likeliest first."""
    depth = kind == IMAGE and any(camera.depth == topic for camera in observed.setup.cameras)
    found = {
        each.topic
        for each in observed.endpoints
        if each.publishes and each.type == kind and each.topic not in observed.setup.types
    }

    def unlike(other: str) -> tuple[int, float]:
        has = any(word in other for word in (DEPTH_WORDS if depth else OTHER_WORDS))
        fits = has if depth else not has
        return (0 if fits or kind == JOINTS else 1, -difflib.SequenceMatcher(None, topic, other).ratio())

    return sorted(found, key=unlike)[:SUGGESTED]
