"""Figures of sounds and of their features: pure functions of arrays. Knows no model and no files."""
