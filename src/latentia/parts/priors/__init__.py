"""Priors: densities over codes, to be drawn from."""
