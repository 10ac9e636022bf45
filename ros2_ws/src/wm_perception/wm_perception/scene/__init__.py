"""Seeing a scene: what stands on the table by depth, object by object, each with a name that lasts."""
