"""What to do, checked: the plan, search spaces, command-line arguments."""
