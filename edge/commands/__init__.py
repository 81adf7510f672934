"""The commands of `robustmq-edge`, one file for each noun."""
