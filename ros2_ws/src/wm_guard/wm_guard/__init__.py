"""Safety filter and watchdog between planner and arm."""
