"""What happened: the events of a sweep, and the tables derived from them."""
