"""Other people's clients against the real broker."""
