"""Corruptions: what is done to an image before it is encoded; the clean one stays the target."""
