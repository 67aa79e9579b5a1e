"""Likelihoods: log p(x | z) in nats, summed over the pixels of an image."""
