"""The scikit-learn face: autoencoders as transformers, and a classifier that learns from few labels."""

from latentia.estimators.autoencoder import ConvAutoencoder
from latentia.estimators.classifier import AutoencoderClassifier

__all__ = ["AutoencoderClassifier", "ConvAutoencoder"]
