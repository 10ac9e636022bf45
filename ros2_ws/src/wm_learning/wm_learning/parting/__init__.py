"""Learning to see objects that touch as several."""
