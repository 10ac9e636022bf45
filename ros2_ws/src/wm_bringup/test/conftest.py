"""What tests of several launch files use."""

import pytest


@pytest.fixture
def everything_installed(monkeypatch):
    """All packages of drivers and controllers count as installed."""
    for module in ("drivers", "graph_ros2_control", "graph_real"):
        monkeypatch.setattr(f"wm_bringup.{module}.installed", lambda package: True)
