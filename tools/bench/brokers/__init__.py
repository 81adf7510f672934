"""The brokers under test: how each is installed, configured and started."""
