"""When messages come: rates, jitter, gaps, losses, stamps and the clocks behind them."""

from collections.abc import Iterator

import numpy as np

from wm_bringup.doctor.checks.machine import overloaded
from wm_bringup.doctor.finding import ERROR, WARNING, Finding
from wm_bringup.doctor.observed import Observed, Stream
from wm_core.clock_offset import NS_PER_MS, REMEDY, ClockOffset

FEWEST = 10  # messages, to say something of their distribution
TOLERATED = 0.9  # share of a rate
JOINT_RATE = 20.0  # [Hz] below which the guard holds the arm for a single late message
JITTER, JITTER_S = 0.5, 0.02  # share of the period, and [s]: 95 % of the intervals are nearer to the median
GAP_S, LONG_GAP_S = 0.25, 0.5  # between two messages; commands that answer older measurements are refused
JOINT_GAP_S = 0.1  # after which the guard holds the arm
DISCOVERY_S = 2.0  # until nodes have found each other
LOST = 0.05  # share of frames
STILL = 0.05  # share of stamps that repeat the one before
ANOTHER_TIME_S = 3600.0


def rates(observed: Observed) -> Iterator[Finding]:
    """Slower than control needs."""
    needed = 1 / observed.setup.period
    for stream, camera in _streams(observed):
        rate = _rate(observed, stream)
        if rate is None:
            continue
        if rate < TOLERATED * needed:
            remedy = (
                "raise the frame rate in the driver; USB 2 instead of 3, long exposure in dim light, or a smaller size?"
                if camera
                else "raise the rate of joint_state_broadcaster (update_rate of the controller manager) or of the driver"
            )
            yield Finding(
                ERROR, "rate", stream.topic, f"at least {needed:g} Hz", f"{rate:.1f} Hz", remedy + _busy(observed)
            )
        elif not camera and rate < JOINT_RATE and not observed.setup.simulated_time:
            remedy = "raise the rate of joint_state_broadcaster or of the driver; 50 Hz and more are usual"
            yield Finding(WARNING, "rate", stream.topic, f"{JOINT_RATE:g} Hz or more", f"{rate:.1f} Hz", remedy)


def regularity(observed: Observed) -> Iterator[Finding]:
    """Jitter, gaps, and frames that were lost on the way."""
    for stream, camera in _streams(observed):
        if stream.heard:
            yield from _gap(observed, stream, camera)
        if len(stream.heard) < FEWEST:
            continue
        intervals = np.diff(stream.arrivals)
        period = float(np.median(intervals))
        # Frames that are lost lengthen intervals, not latencies; stamps that are wrong spoil latencies, not intervals.
        latencies = stream.arrivals - stream.stamps
        spread = min(_spread(intervals), _spread(latencies))
        if spread > max(JITTER * period, JITTER_S):
            yield Finding(
                WARNING,
                "jitter",
                stream.topic,
                f"messages every {1e3 * period:.0f} ms",
                f"5 % of them come more than {1e3 * spread:.0f} ms off",
                "give the driver a core of its own or a higher priority, use a wired network, CPU governor performance"
                + _busy(observed),
            )
        lost = _lost(stream) if camera else 0.0
        if lost > LOST:
            yield Finding(
                WARNING,
                "lost",
                stream.topic,
                "every frame that was stamped",
                f"{100 * lost:.0f} % lost on the way",
                "start drivers and wm with the Fast DDS profile of ./wm (shared memory of 32 MB), enlarge net.core.rmem_max"
                " between machines, or make images smaller",
            )


def stamps(observed: Observed) -> Iterator[Finding]:
    """Stamps that are missing, stand still or go back."""
    for stream, _ in _streams(observed):
        if len(stream.heard) < 2:
            continue
        if not any(each.stamp_ns for each in stream.heard):
            remedy = "the driver must stamp with the time of the measurement: update it, or set its stamp parameter"
            yield Finding(ERROR, "stamps_zero", stream.topic, "stamped messages", "all stamps are 0", remedy)
            continue
        steps = np.diff(stream.stamps)
        if (still := float((steps == 0).mean())) > STILL:
            remedy = "such messages are taken for repeated ones and left out: restart the driver; does a bag or relay repeat?"
            found = f"{100 * still:.0f} % have the stamp of the one before"
            yield Finding(ERROR, "stamps_still", stream.topic, "stamps that advance", found, remedy)
        if (back := int((steps < 0).sum())) > 0:
            yield Finding(
                ERROR,
                "stamps_back",
                stream.topic,
                "stamps that advance",
                f"{back} times one before its predecessor, by {1e3 * -steps.min():.0f} ms at most",
                "is a bag replayed in a loop, does a second source publish, or does something set the clock (use chrony, which"
                " slews, not ntpdate)?",
            )


def clocks(observed: Observed) -> Iterator[Finding]:
    """Whose clock is elsewhere: of cameras, joints, and the controller where it says something."""
    if observed.setup.simulated_time:
        return
    controller = observed.streams.get(observed.setup.controller_state_topic)
    for stream in [*(stream for stream, _ in _streams(observed)), *([controller] if controller else [])]:
        ages = [each.arrival_ns - each.stamp_ns for each in stream.heard if each.stamp_ns]
        if not ages:
            continue
        away = float(np.median(ages)) / 1e9
        if abs(away) > ANOTHER_TIME_S:
            yield Finding(
                ERROR,
                "another_time",
                stream.topic,
                "stamps of this machine's time",
                f"stamps of {abs(away) / 3600:.0f} hours {'ago' if away > 0 else 'ahead'}",
                "stamps count from another beginning: set use_sim_time of that driver to false, or its host or global time"
                " (realsense2_camera: global_time_enabled); a bag is replayed without /clock?",
            )
            continue
        clock = ClockOffset(stream.topic)
        for each in stream.heard:
            clock.heard(each.stamp_ns, each.arrival_ns)
        offset = clock.offset_ns
        if offset is not None and clock.problem():
            found = f"{abs(offset) / NS_PER_MS:.0f} ms {'ahead' if offset > 0 else 'behind, or late'}"
            yield Finding(ERROR, "clock", stream.topic, "the clock of this machine", found, REMEDY)


def _streams(observed: Observed) -> Iterator[tuple[Stream, bool]]:
    """Periodic streams, and whether they are a camera's."""
    for camera, _ in observed.cameras():
        yield observed.stream(camera.colour), True
        yield observed.stream(camera.depth), True
    yield observed.arm, False


def _gap(observed: Observed, stream: Stream, camera: bool) -> Iterator[Finding]:
    """The longest time without a message of a stream that has some: between two, after the last, or before the first."""
    intervals = np.diff(stream.arrivals)
    period = float(np.median(intervals)) if len(intervals) else observed.setup.period
    since = (observed.end_ns - stream.heard[-1].arrival_ns) / 1e9
    before = (stream.heard[0].arrival_ns - observed.begin_ns) / 1e9 - DISCOVERY_S
    gap, where = max(
        *((float(each), "") for each in intervals), (since, ", and none since"), (before, ", before the first")
    )
    if gap > max(GAP_S if camera else JOINT_GAP_S, 5 * period):
        yield Finding(
            ERROR if gap > LONG_GAP_S else WARNING,
            "gap",
            stream.topic,
            f"a message every {1e3 * period:.0f} ms",
            f"none for {1e3 * gap:.0f} ms{where}",
            "the arm is held meanwhile: look for USB resets (dmesg), a busy machine, a network that drops; is a cable loose?"
            + _busy(observed),
        )


def _busy(observed: Observed) -> str:
    """Where messages are late because the machine is."""
    machine = observed.machine
    return (
        f"; but first end what else runs here: the load is {machine.load:.0f} on {machine.cores} cores"
        if overloaded(machine)
        else ""
    )


def _spread(values: np.ndarray) -> float:
    """How far 95 % of the values are from their median, at most."""
    return float(np.quantile(np.abs(values - np.median(values)), 0.95))


def _rate(observed: Observed, stream: Stream) -> float | None:
    """[Hz] by this machine's clock, or by simulated time; None without messages."""
    if len(stream.heard) < 2:
        return None
    if observed.setup.simulated_time:
        span = float(np.ptp(stream.stamps))
        return (len(stream.heard) - 1) / span if span > 0 else None
    first, last = stream.heard[0].arrival_ns, stream.heard[-1].arrival_ns
    return (len(stream.heard) - 1) * 1e9 / max(1, last - first)


def _lost(stream: Stream) -> float:
    """Share of the frames whose stamps are missing, gaps aside; a period is the lower quartile of intervals, as losses lengthen them."""
    steps = np.diff(stream.stamps)
    steps = steps[(steps > 0) & (steps < GAP_S)]
    if len(steps) < FEWEST:
        return 0.0
    period = float(np.quantile(steps, 0.25))
    lost = np.maximum(0, np.round(steps / period) - 1).sum()
    return float(lost / (lost + len(stream.heard)))
