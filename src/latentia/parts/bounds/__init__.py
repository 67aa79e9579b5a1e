"""Bounds: how posterior, prior and likelihood become a loss."""
