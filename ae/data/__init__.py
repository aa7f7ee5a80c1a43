"""Data sets that the tasks read."""
