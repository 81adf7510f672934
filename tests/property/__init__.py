"""Property tests: random inputs and histories against a model."""
