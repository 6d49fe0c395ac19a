"""Run every test that reads recorded outputs of the original modules; print each case's tests and largest error.

    python tests/parity_table.py [more arguments of pytest]

An error is ``|ours - recorded| / (1 + |recorded|)``: at most 1e-4 is what "agrees to 1e-4" means here.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

TESTS = Path(__file__).resolve().parent


class Recorder:
    """Notes, while pytest runs, which case each test reads and how far its comparisons are apart."""

    def __init__(self) -> None:
        self.test = ''
        self.cases: dict[str, set[str]] = {}
        self.errors: dict[str, float] = {}
        self.outcomes: dict[str, str] = {}

    def compare(self, ours: Any, recorded: Any) -> None:
        """Note the distance of two arrays; anything else is equal or fails."""
        ours, recorded = (np.asarray(_plain(value)) for value in (ours, recorded))
        if ours.dtype.kind != 'f' or recorded.dtype.kind != 'f' or not recorded.size:
            return
        distance = np.abs(ours - recorded) / (1 + np.abs(recorded))
        finite = distance[np.isfinite(distance)]
        self.errors[self.test] = max([self.errors.get(self.test, 0.0), *map(float, finite.max(initial=0.0).flat)])

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Keep what reads recorded cases."""
        items[:] = [item for item in items if 'golden' in getattr(item, 'fixturenames', ())]

    @pytest.hookimpl(hookwrapper=True)
    def pytest_fixture_setup(self, fixturedef: Any) -> Iterator[None]:
        """Have the fixture say which case is read."""
        yield
        if fixturedef.argname != 'golden':
            return
        load = fixturedef.cached_result[0]

        def noted(case: str) -> Any:
            self.cases.setdefault(case, set()).add(self.test)
            return load(case)

        fixturedef.cached_result = (noted, *fixturedef.cached_result[1:])

    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """Note the test that runs."""
        self.test = item.nodeid

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note how it ended."""
        if report.when == 'call' or report.outcome != 'passed':
            self.outcomes[report.nodeid] = report.outcome

    def lines(self) -> Iterator[str]:
        """The table."""
        yield f'{"case":<50} {"error":>8}  tests'
        for case, tests in sorted(self.cases.items()):
            worst = max((self.errors.get(test, 0.0) for test in tests), default=0.0)
            files = sorted({test.split('::')[0].removeprefix('tests/') for test in tests})
            bad = [test for test in tests if self.outcomes.get(test) != 'passed']
            note = f'  NOT PASSED: {", ".join(bad)}' if bad else ''
            yield f'{case:<50} {worst:8.1e}  {len(tests)} in {", ".join(files)}{note}'


def _plain(value: Any) -> Any:
    return value.detach().cpu().double().numpy() if isinstance(value, torch.Tensor) else value


def main() -> int:
    """Run and print."""
    recorder = Recorder()
    for module, name in ((torch.testing, 'assert_close'), (np.testing, 'assert_allclose')):
        check = getattr(module, name)

        def noted(ours: Any, recorded: Any, *args: Any, check: Any = check, **options: Any) -> None:
            check(ours, recorded, *args, **options)
            recorder.compare(ours, recorded)

        setattr(module, name, noted)
    code = pytest.main(['-q', '--no-header', '--show-capture=no', str(TESTS), *sys.argv[1:]], plugins=[recorder])
    print('\n'.join(recorder.lines()))
    return int(code)


if __name__ == '__main__':
    sys.exit(main())
