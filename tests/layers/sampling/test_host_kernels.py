"""The compiled kernels against sums over all cells of a map, in which every cell has the weight of a tent around it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from bevdistill.layers.sampling import host_kernels
from bevdistill.layers.sampling.host_kernels import compiled, gather, scatter

Array = NDArray[Any]
SIZES = ((3, 5), (1, 1), (4, 2))
STARTS = (0, 15, 16)
TOKENS = 24


def problem(
    seed: int = 0, queries: int = 6, heads: int = 3, points: int = 2, dtype: type = np.float64
) -> dict[str, Array]:
    """Two images of three odd levels, queries in and around them, rows with several queries and with none."""
    random = np.random.default_rng(seed)
    return dict(
        value=random.normal(size=(2, TOKENS, heads, 4)).astype(dtype),
        shapes=np.array(SIZES),
        starts=np.array(STARTS),
        locations=random.uniform(-0.4, 1.4, size=(queries, heads, 3, points, 2)).astype(dtype),
        weights=random.normal(size=(queries, heads, 3, points)).astype(dtype),
        image=random.integers(0, 2, queries),
        row=random.integers(0, 4, queries),
    )


def tent(distance: float) -> float:
    return max(0.0, 1.0 - abs(distance))


def slope(distance: float) -> float:
    return -float(np.sign(distance)) if abs(distance) < 1 else 0.0


def samples(given: dict[str, Array]) -> Iterator[tuple[Any, ...]]:
    """Index (a, m, level, p), image, size of the level, x, y in cells, and (token, col, row) of all cells."""
    for index in np.ndindex(given['weights'].shape):
        height, width = SIZES[index[2]]
        x, y = given['locations'][index] * (width, height) - 0.5
        cells = [(STARTS[index[2]] + r * width + c, c, r) for r in range(height) for c in range(width)]
        yield index, given['image'][index[0]], (width, height), x, y, cells


def gathered(given: dict[str, Array], rows: int = 4) -> Array:
    heads, channels = given['value'].shape[2:]
    output = np.zeros((rows, heads, channels))
    for index, image, _, x, y, cells in samples(given):
        for token, col, row in cells:
            share = given['weights'][index] * tent(x - col) * tent(y - row)
            output[given['row'][index[0]], index[1]] += share * given['value'][image, token, index[1]]
    return output


def scattered(given: dict[str, Array], gradient: Array) -> tuple[Array, Array, Array]:
    of_value, of_weights = np.zeros_like(given['value']), np.zeros_like(given['weights'])
    of_locations = np.zeros_like(given['locations'])
    for index, image, (width, height), x, y, cells in samples(given):
        onto, weight = gradient[given['row'][index[0]], index[1]], given['weights'][index]
        for token, col, row in cells:
            product = float(onto @ given['value'][image, token, index[1]])
            of_value[image, token, index[1]] += weight * tent(x - col) * tent(y - row) * onto
            of_weights[index] += tent(x - col) * tent(y - row) * product
            of_locations[index][0] += weight * slope(x - col) * tent(y - row) * width * product
            of_locations[index][1] += weight * tent(x - col) * slope(y - row) * height * product
    return of_value, of_locations, of_weights


def run_gather(given: dict[str, Array], rows: int = 4, first: int = 0, last: int | None = None) -> Array:
    heads, channels = given['value'].shape[2:]
    output = np.zeros((rows, heads, channels), dtype=given['value'].dtype)
    gather(*given.values(), output, first, heads if last is None else last)
    return output


def run_scatter(given: dict[str, Array], gradient: Array, first: int = 0, last: int | None = None) -> tuple[Array, ...]:
    found = tuple(np.zeros_like(given[name]) for name in ('value', 'locations', 'weights'))
    scatter(*given.values(), gradient, *found, first, given['value'].shape[2] if last is None else last)
    return found


@pytest.mark.parametrize('seed', [0, 1, 2])
def test_gather_is_the_sum_over_cells(seed: int) -> None:
    given = problem(seed, queries=5 + seed, points=1 + seed)
    np.testing.assert_allclose(run_gather(given), gathered(given), atol=1e-12)


@pytest.mark.parametrize('seed', [0, 1, 2])
def test_scatter_is_its_gradient(seed: int) -> None:
    given = problem(seed, queries=5 + seed, points=1 + seed)
    gradient = np.random.default_rng(9).normal(size=(4, 3, 4))
    for got, want in zip(run_scatter(given, gradient), scattered(given, gradient), strict=True):
        np.testing.assert_allclose(got, want, atol=1e-11)


def test_single_precision_stays_single() -> None:
    given = problem(dtype=np.float32)
    output = run_gather(given)
    assert output.dtype == np.float32
    np.testing.assert_allclose(output, gathered(given), atol=1e-5)
    for got, want in zip(run_scatter(given, output), scattered(given, output), strict=True):
        np.testing.assert_allclose(got, want, atol=2e-4)


@pytest.mark.parametrize(('col', 'row'), [(0, 0), (4, 0), (0, 2), (4, 2), (2, 1)])
def test_centre_of_a_cell_reads_that_cell_alone(col: int, row: int) -> None:
    given = problem(queries=1, points=1)
    given['weights'][:] = 0.0
    given['weights'][0, :, 0, 0] = 1.0
    given['locations'][0, :, 0, 0] = (col + 0.5) / 5, (row + 0.5) / 3
    output, image = run_gather(given), given['image'][0]
    np.testing.assert_allclose(output[given['row'][0]], given['value'][image, row * 5 + col], atol=1e-12)


@pytest.mark.parametrize('place', [(-0.11, 0.5), (1.11, 0.5), (0.5, -0.17), (0.5, 1.17), (np.nan, 0.5), (np.inf, 0.5)])
def test_nothing_outside_and_no_gradient(place: tuple[float, float]) -> None:
    """Half a cell beyond the border the map ends: a tenth of a width of 5, a sixth of a height of 3."""
    given = problem(queries=2, points=1)
    given['weights'][:, :, 1:] = 0.0
    given['locations'][:, :, 0, 0] = place
    assert not run_gather(given).any()
    of_value, of_locations, of_weights = run_scatter(given, np.ones((4, 3, 4)))
    assert not of_value.any() and not of_locations[:, :, 0].any() and not of_weights[:, :, 0].any()


def test_border_fades_to_zero() -> None:
    """On the border itself half of the outer cell's value is left: twice that is the value."""
    given = problem(queries=1, points=1)
    given['weights'][:] = 0.0
    given['weights'][0, :, 0, 0] = 2.0
    given['locations'][0, :, 0, 0] = 1.0, 0.5
    output, image = run_gather(given), given['image'][0]
    np.testing.assert_allclose(output[given['row'][0]], given['value'][image, 1 * 5 + 4], atol=1e-12)


def test_a_level_of_one_cell() -> None:
    given = problem(queries=1, points=1)
    given['weights'][:] = 0.0
    given['weights'][0, :, 1, 0] = 1.0
    given['locations'][0, :, 1, 0] = 0.75, 0.5
    output, image = run_gather(given), given['image'][0]
    np.testing.assert_allclose(output[given['row'][0]], 0.75 * given['value'][image, 15], atol=1e-12)


def test_heads_can_be_shared_among_threads() -> None:
    """A range of heads writes its own heads and nothing else, and the ranges make up the whole."""
    given = problem()
    whole, part = run_gather(given), run_gather(given, first=1, last=2)
    assert not part[:, [0, 2]].any()
    assert np.array_equal(part[:, 1], whole[:, 1])
    gradient = np.random.default_rng(3).normal(size=whole.shape)
    together, apart = run_scatter(given, gradient), [run_scatter(given, gradient, m, m + 1) for m in range(3)]
    for kind, want in enumerate(together):
        assert np.array_equal(sum(parts[kind] for parts in apart), want)


def test_results_are_added_to_what_is_there() -> None:
    given = problem()
    output = np.ones((4, 3, 4))
    gather(*given.values(), output, 0, 3)
    np.testing.assert_allclose(output - 1, run_gather(given), atol=1e-12)


def test_no_query() -> None:
    given = problem(queries=0)
    assert not run_gather(given).any()
    assert [found.shape for found in run_scatter(given, np.ones((4, 3, 4)))] == [
        (2, TOKENS, 3, 4), (0, 3, 3, 2, 2), (0, 3, 3, 2),
    ]


def test_installation_without_a_place_for_the_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    """numba refuses to cache where it cannot write: the kernel is compiled all the same."""
    calls: list[dict[str, Any]] = []

    def njit(function: Any, cache: bool = False, **options: Any) -> Any:
        calls.append(dict(options, cache=cache))
        if cache:
            raise RuntimeError('no locator available')
        return function

    monkeypatch.setattr(host_kernels.numba, 'njit', njit)

    def kernel() -> None: ...

    assert compiled(kernel) is kernel
    assert [call.pop('cache') for call in calls] == [True, False]
    assert calls[0] == calls[1] and calls[0]['nogil'] and calls[0]['fastmath'] == {'reassoc', 'contract'}
