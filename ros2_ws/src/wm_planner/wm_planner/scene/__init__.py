"""Planning for scenes of several objects: where to touch, how to grasp, where to let go, and the search around it."""
