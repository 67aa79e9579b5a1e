"""Bottlenecks: feature maps to a Code."""
