"""Measure what the package costs: ratios against targets, times, memory, and how they grow. Run `make bench`."""
