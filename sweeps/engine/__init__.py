"""Ray: the only package that knows Tune's controller and its private parts."""
