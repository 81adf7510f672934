"""All tests of robustmq-edge."""
