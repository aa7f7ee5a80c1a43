"""Sequences as users bring them: files, layouts, windows, missing values, scaling, splits."""
