"""Judging bundles: each module measures one thing and returns a Section; report.py writes them all."""
