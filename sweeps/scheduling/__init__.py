"""Who trains now: plain Python, with no Ray in it."""
