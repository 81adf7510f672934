"""Fuzz targets: plain functions from bytes to None."""
