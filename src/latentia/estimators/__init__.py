"""The scikit-learn face: autoencoders as transformers, and what stands on them: clusters, and classifiers from few labels."""

from latentia.estimators.autoencoder import ConvAutoencoder
from latentia.estimators.classifier import AutoencoderClassifier
from latentia.estimators.clusterer import AutoencoderClusterer
from latentia.estimators.denoising import DenoisingAutoencoder
from latentia.estimators.variational import VariationalAutoencoder

__all__ = [
    "AutoencoderClassifier",
    "AutoencoderClusterer",
    "ConvAutoencoder",
    "DenoisingAutoencoder",
    "VariationalAutoencoder",
]
