"""Flux: the source, and what it applies in which order."""
