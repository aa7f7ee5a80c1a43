"""A sweep from search to report: search, select, retrain, test."""
