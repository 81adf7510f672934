"""Deterministic simulation of the control plane: a fake engine, real packets, a mock clock."""
