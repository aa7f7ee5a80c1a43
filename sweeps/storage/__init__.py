"""Bytes: paths and names of files, locks, buckets, checkpoints."""
