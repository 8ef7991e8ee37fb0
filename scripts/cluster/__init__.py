"""A cluster and what runs in it: make it, deliver to it, look at it."""
