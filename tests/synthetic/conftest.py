"""Fixtures of the synthetic nuScenes' tests."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import matplotlib
import numpy as np
import pytest
from nuscenes.nuscenes import NuScenes

from bevdistill.synthetic import PRESETS, LidarSettings, Preset
from bevdistill.synthetic.world import World, make_world

matplotlib.use('Agg')


@pytest.fixture(scope='session')
def nusc(synthetic_root: Path) -> NuScenes:
    """The official devkit's view of the tiny data set."""
    return NuScenes('v1.0-mini', str(synthetic_root), verbose=False)


@pytest.fixture(scope='session')
def smallest() -> Preset:
    """Three scenes of two keyframes, one sweep each, with few beams."""
    return replace(
        PRESETS['tiny'],
        name='smallest',
        train_scenes=2,
        val_scenes=1,
        test_scenes=1,
        train_keyframes=2,
        val_keyframes=2,
        sweep_slots=(5,),
        camera=replace(PRESETS['tiny'].camera, height=24, width=64),
        lidar=LidarSettings(beams=8, azimuths=60),
    )


@pytest.fixture(scope='session')
def world() -> World:
    """A world with every class, on hills."""
    settings = replace(PRESETS['tiny'].world, slope=4.0)
    return make_world(np.random.default_rng(3), settings, np.array([300.0, 250.0]), (-0.5, 1.1))
