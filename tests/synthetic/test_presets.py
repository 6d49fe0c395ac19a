"""What the presets promise beside one another."""

from __future__ import annotations

from dataclasses import asdict

import pytest

from bevdistill.synthetic.presets import DEMO, PRESETS, WEATHERS


def test_names_are_keys() -> None:
    assert all(name == weather.name for name, weather in WEATHERS.items())
    assert all(name == preset.name for name, preset in PRESETS.items())
    assert PRESETS['demo'] is DEMO


def test_weathers_are_told_apart_by_what_they_do() -> None:
    """Light from dark, sight from fog, and returns that are lost in drops alone."""
    light = {name: weather.sun + weather.ambient for name, weather in WEATHERS.items()}
    assert max(light, key=light.__getitem__) == 'clear' and min(light, key=light.__getitem__) == 'night'
    assert light['clear'] > light['overcast'] > light['dusk'] > 2 * light['night']
    fog = sorted(WEATHERS, key=lambda name: WEATHERS[name].fog)
    assert fog[0] == 'clear' and fog[-2:] == ['rain', 'fog']
    assert {name for name, weather in WEATHERS.items() if weather.lidar_dropout} == {'rain', 'fog'}
    for weather in WEATHERS.values():
        assert all(0 <= part <= 1 for part in (*weather.sky_zenith, *weather.sky_horizon))
        assert sum(weather.sky_horizon) > sum(weather.sky_zenith), 'the sky is brighter at the horizon'


def changed(name: str) -> set[str]:
    preset, demo = asdict(PRESETS[name]), asdict(DEMO)
    return {key for key in demo if preset[key] != demo[key]} - {'name'}


def test_the_temporal_preset_changes_motion_and_the_length_of_drives() -> None:
    """As many keyframes to validate on, in fewer and longer drives."""
    temporal = PRESETS['temporal']
    assert changed('temporal') == {'val_scenes', 'test_scenes', 'val_keyframes', 'world'}
    assert temporal.val_scenes * temporal.val_keyframes == DEMO.val_scenes * DEMO.val_keyframes
    assert temporal.world.moving_share == 2 * DEMO.world.moving_share
    assert asdict(temporal.world) == asdict(DEMO.world) | dict(moving_share=2.0)


def test_the_benchmark_preset_is_as_large_and_harder() -> None:
    hard, demo = PRESETS['benchmark'], DEMO
    assert changed('benchmark') == {'world', 'camera'}
    for name in ('size_spread', 'colour_spread', 'distractors', 'slope', 'ego_turn_rate'):
        assert getattr(hard.world, name) > getattr(demo.world, name), name
    assert hard.world.wavelengths < demo.world.wavelengths, 'steeper ground comes in shorter waves'
    assert hard.camera.pitch_jitter > demo.camera.pitch_jitter and hard.camera.focal_jitter > demo.camera.focal_jitter
    assert {name for name, _ in hard.world.weathers} == set(WEATHERS)


@pytest.mark.parametrize('name', PRESETS)
def test_shares_of_weathers_are_a_whole(name: str) -> None:
    weathers = PRESETS[name].world.weathers
    assert sum(share for _, share in weathers) == pytest.approx(1) and min(share for _, share in weathers) > 0
    assert len({weather for weather, _ in weathers}) == len(weathers)


def test_the_tiny_preset_has_all_that_nuscenes_has() -> None:
    """Nine sweeps and every class in each scene, in as many scenes as the splits of v1.0-mini."""
    tiny = PRESETS['tiny']
    assert tiny.sweep_slots == tuple(range(1, 10)) and tiny.world.every_class
    assert (tiny.train_scenes, tiny.val_scenes) == (8, 2)
