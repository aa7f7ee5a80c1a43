"""What to try next: Optuna, and the only package that knows its private parts."""
