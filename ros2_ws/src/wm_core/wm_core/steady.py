"""A clock that nobody sets: timers on the system's clock, rclpy's default, stand still for as long as that was set back."""

from rclpy.clock import Clock, ClockType


def steady_clock() -> Clock:
    """For timers that go on whatever simulated time and the computer's clock do."""
    return Clock(clock_type=ClockType.STEADY_TIME)
