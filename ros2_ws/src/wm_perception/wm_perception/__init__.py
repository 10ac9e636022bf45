"""Sensors to observation embedding and geometry."""
