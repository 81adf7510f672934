"""Tools for developers of robustmq-edge."""
