from __future__ import annotations

import pytest

from bevdistill.distillers import WeightSchedule


@pytest.mark.parametrize(
    ('config', 'progress', 'factor'),
    [
        (None, 0.0, 1.0),
        (None, 1.0, 1.0),
        (dict(decay_to=0.0), 0.0, 1.0),
        (dict(decay_to=0.0), 0.25, 0.75),
        (dict(decay_to=0.0), 1.0, 0.0),
        (dict(decay_to=0.5), 0.5, 0.75),
        (dict(warmup=0.5), 0.25, 0.5),
        (dict(warmup=0.5), 0.75, 1.0),
        (dict(warmup=0.2, decay_to=0.0), 0.1, 0.5),
        (dict(warmup=0.2, decay_to=0.0), 0.6, 0.5),
        (dict(start=0.4), 0.39, 0.0),
        (dict(start=0.4), 0.4, 1.0),
        (dict(stop=0.5), 0.5, 1.0),
        (dict(stop=0.5), 0.51, 0.0),
        (dict(start=0.5, warmup=0.5), 0.625, 0.5),
        (dict(start=0.2, stop=0.6, decay_to=0.0), 0.4, 0.5),
    ],
)
def test_factor(config, progress: float, factor: float) -> None:
    assert WeightSchedule.from_config(config).factor(progress) == pytest.approx(factor)


def test_only_the_default_is_constant() -> None:
    assert WeightSchedule().constant
    assert not WeightSchedule(stop=0.5).constant


@pytest.mark.parametrize('config', [dict(start=0.5, stop=0.5), dict(stop=1.5), dict(warmup=1.0), dict(decay_to=-1.0)])
def test_out_of_range(config) -> None:
    with pytest.raises(ValueError, match='a schedule needs'):
        WeightSchedule.from_config(config)
