"""Fixtures of the tests of reports."""

from made_up_runs import write_run

__all__ = ['write_run']
