"""The trio control plane: policy for whatever is rare."""
