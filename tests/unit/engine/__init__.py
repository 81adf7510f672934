"""The engine without a control plane of its own; see tests/support/engine_rig.py."""
