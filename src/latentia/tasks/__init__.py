"""What a trained autoencoder is for. A task takes a model and images and returns a result; it never changes the model."""
