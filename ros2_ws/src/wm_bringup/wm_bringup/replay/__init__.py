"""`./wm replay BAG --check`: the real nodes compute again what was recorded."""
