"""The scikit-learn face: autoencoders as transformers, and what stands on them: clusters, detectors, and classifiers."""

from latentia.estimators.autoencoder import ConvAutoencoder
from latentia.estimators.classifier import AutoencoderClassifier
from latentia.estimators.clusterer import AutoencoderClusterer
from latentia.estimators.denoising import DenoisingAutoencoder
from latentia.estimators.detector import AutoencoderDetector
from latentia.estimators.variational import VariationalAutoencoder

__all__ = [
    "AutoencoderClassifier",
    "AutoencoderClusterer",
    "AutoencoderDetector",
    "ConvAutoencoder",
    "DenoisingAutoencoder",
    "VariationalAutoencoder",
]
