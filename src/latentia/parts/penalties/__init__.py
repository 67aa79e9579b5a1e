"""Penalties: one more named term each, seen by the objective."""
