"""Augmentations: changes that leave what an image shows what it is; used in fine-tuning."""
