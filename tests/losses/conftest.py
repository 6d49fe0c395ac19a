"""Made-up outputs and targets for the tests of losses."""

from made_up_outputs import make_outputs, make_targets, sample_of, single

__all__ = ['make_outputs', 'make_targets', 'sample_of', 'single']
