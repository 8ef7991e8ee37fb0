"""The definition of the clusters, and what it gives: check it, compare it, release into it, review a change."""
