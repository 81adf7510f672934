"""The benchmark suite: this broker and its peers, side by side, in one session. See README.md."""
