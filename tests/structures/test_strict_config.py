from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import pytest
from mmengine.logging import MMLogger
from mmengine.registry import Registry

from bevdistill.structures import register_old_name, strict_from_dict
from bevdistill.structures.strict_config import refuse_settings


@dataclass
class Point:
    x: int
    y: int = 2


def test_entries_become_arguments() -> None:
    assert strict_from_dict(Point, dict(x=1), 'point') == Point(1, 2)
    assert strict_from_dict(Point, dict(y=5, x=4), 'point') == Point(4, 5)
    assert strict_from_dict(partial(Point, 7), dict(y=5), 'point') == Point(7, 5)


def test_unknown_keys_are_all_named_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"unknown key \['a', 'z'\] in model\.point; known are \['x', 'y'\]"):
        strict_from_dict(Point, dict(z=1, x=1, a=0), 'model.point')
    with pytest.raises(ValueError, match=r"unknown key \['x'\] in point; known are \['y'\]"):
        strict_from_dict(partial(Point, 7), dict(x=5), 'point')


def test_old_names_build_the_new_class_and_say_so(logged: Callable[[logging.Logger], list[logging.LogRecord]]) -> None:
    registry = Registry('things of this test')
    registry.register_module(module=Point)
    for _ in range(2):  # Twice: of a module that is loaded anew.
        register_old_name(registry, 'Dot', Point)
    records = logged(MMLogger.get_current_instance())
    assert registry.build(dict(type='Point', x=3)) == Point(3)
    assert not [record for record in records if 'is called' in record.getMessage()]
    assert registry.build(dict(type='Dot', x=3)) == Point(3)
    (record,) = [record for record in records if 'is called' in record.getMessage()]
    assert record.getMessage() == "'Dot' is called 'Point' now; please rename it in the config"
    assert record.levelno == logging.WARNING


def test_settings_that_nothing_reads_are_refused_unless_empty() -> None:
    refuse_settings('Head', train_cfg=None, test_cfg={})
    with pytest.raises(ValueError, match=r"Head reads no test_cfg, found \['nms', 'score'\] in it"):
        refuse_settings('Head', train_cfg={}, test_cfg=dict(score=0.1, nms=1))
