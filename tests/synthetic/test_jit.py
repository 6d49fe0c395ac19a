from __future__ import annotations

from typing import Any

import numba
import pytest

from bevdistill.synthetic.jit import jit


def test_compiles() -> None:
    @jit
    def twice(x: float) -> float:
        return 2 * x

    assert twice(3.0) == 6.0


def test_works_where_nothing_can_be_cached(monkeypatch: pytest.MonkeyPatch) -> None:
    real = numba.njit

    def no_place(function: Any, **options: Any) -> Any:
        if options.get('cache'):
            raise RuntimeError('cannot cache function: no locator available')
        return real(function, **options)

    monkeypatch.setattr(numba, 'njit', no_place)

    @jit
    def thrice(x: float) -> float:
        return 3 * x

    assert thrice(2.0) == 6.0
