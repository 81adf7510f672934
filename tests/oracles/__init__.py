"""Slow, obvious models that the native code is compared with."""
