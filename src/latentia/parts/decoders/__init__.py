"""Decoders: codes to the likelihood's parameters, [B, P, H, W]."""
