"""Judging bundles: measurements, reports, the gate."""
