"""From bags to datasets: reading, checking, conversion, LeRobot."""
