"""What trains many and judges them: cross-validation and selection."""
