"""Straightforward forms of what the package computes fast: the oracle of tests, and the other side of the benchmark.

Written from the equations as one would write them first, with the loops and copies of the original modules.
"""
