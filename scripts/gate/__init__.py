"""The gate of every change, and what keeps it true: the judges, the figures, the CRDs of what is pinned."""
