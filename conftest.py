"""Settings of all tests."""

from hypothesis import settings

# Machines are shared and slow at times: how long an example takes says nothing of what is tested.
settings.register_profile("wm", deadline=None)
settings.load_profile("wm")
