"""The page, the tables and the charts that a person reads."""
