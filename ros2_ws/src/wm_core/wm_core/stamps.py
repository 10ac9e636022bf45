"""Time messages <-> integer nanoseconds, the time type of every core."""

from builtin_interfaces.msg import Time

NS_PER_S = 1_000_000_000


def to_ns(time: Time) -> int:
    """Nanoseconds of a Time message."""
    return int(time.sec) * NS_PER_S + int(time.nanosec)


def to_msg(stamp_ns: int) -> Time:
    """Time message of integer nanoseconds; raises ValueError below zero or past the range of int32 seconds."""
    seconds, nanoseconds = divmod(int(stamp_ns), NS_PER_S)
    if not 0 <= seconds < 2**31:
        raise ValueError(f"expected a time between 0 and 2^31 s, got {stamp_ns} ns")
    return Time(sec=seconds, nanosec=nanoseconds)
