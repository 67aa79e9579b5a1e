"""Encoders: padded images [B, C, H, W] in [0, 1] to feature maps [B, F, h, w]."""
