from __future__ import annotations

import hashlib
import json
import os
import platform
from dataclasses import replace
from pathlib import Path

import pytest
from nuscenes.nuscenes import NuScenes
from nuscenes.utils import splits

from bevdistill.synthetic import MARKER, PRESETS, Preset, dataset, make_dataset, plan_scenes


def digest(root: Path) -> dict[str, str]:
    return {
        str(file.relative_to(root)): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in sorted(root.rglob('*'))
        if file.is_file()
    }


@pytest.fixture(scope='module')
def small_root(smallest: Preset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp('small') / 'data'
    return make_dataset(out, smallest, 'v1.0-trainval', seed=5, workers=1, progress=False)


def test_workers_change_nothing(smallest: Preset, small_root: Path, tmp_path: Path) -> None:
    again = make_dataset(tmp_path / 'data', smallest, 'v1.0-trainval', seed=5, workers=3, progress=False)
    assert digest(again) == digest(small_root)


def test_seed_changes_the_world(smallest: Preset, small_root: Path, tmp_path: Path) -> None:
    other = make_dataset(tmp_path / 'data', smallest, 'v1.0-trainval', seed=6, workers=1, progress=False)
    ours, theirs = digest(small_root), digest(other)
    images = [name for name in ours if name.endswith('.jpg')]
    assert images
    assert all(ours[name] != theirs[name] for name in images)


def test_more_scenes_leave_the_others_alone(smallest: Preset, small_root: Path, tmp_path: Path) -> None:
    fewer = replace(smallest, train_scenes=1, val_scenes=0)
    part = digest(make_dataset(tmp_path / 'data', fewer, 'v1.0-trainval', seed=5, workers=1, progress=False))
    ours = digest(small_root)
    files = [name for name in part if name.startswith(('samples', 'sweeps', 'can_bus'))]
    assert len(files) == 2 * 7 + 2 + 1
    assert all(part[name] == ours[name] for name in files)


def test_test_version_has_no_annotations(smallest: Preset, tmp_path: Path) -> None:
    root = make_dataset(tmp_path / 'data', smallest, 'v1.0-test', workers=1, progress=False)
    nusc = NuScenes('v1.0-test', str(root), verbose=False)
    assert [scene['name'] for scene in nusc.scene] == splits.test[:1]
    assert len(nusc.sample) == 2
    assert nusc.sample_annotation == []
    assert nusc.instance == []


def test_scenes_come_from_the_splits() -> None:
    jobs = plan_scenes(Path('x'), PRESETS['demo'], 'v1.0-trainval', 0)
    names = [job.name for job in jobs]
    assert len(set(names)) == 275
    assert set(names[:200]) <= set(splits.train)
    assert set(names[200:]) <= set(splits.val)
    assert sum(job.keyframes for job in jobs[:200]) == 1600
    assert sum(job.keyframes for job in jobs[200:]) == 150
    assert not {int(name[-4:]) for name in names} & {161, 170, 309}, 'the devkit has no CAN bus for these'
    mini = plan_scenes(Path('x'), PRESETS['demo'], 'v1.0-mini', 0)
    assert [job.name for job in mini] == [*splits.mini_train, *splits.mini_val]


def test_presets_fit_the_splits() -> None:
    for preset in PRESETS.values():
        jobs = plan_scenes(Path('x'), preset, 'v1.0-trainval', 0)
        assert len(jobs) == preset.train_scenes + preset.val_scenes
        assert len(plan_scenes(Path('x'), preset, 'v1.0-test', 0)) == preset.test_scenes


def test_temporal_preset_trains_on_the_scenes_of_the_demo() -> None:
    demo, temporal = (plan_scenes(Path('x'), PRESETS[name], 'v1.0-trainval', 0) for name in ('demo', 'temporal'))
    trained = PRESETS['demo'].train_scenes
    assert [replace(job, preset=PRESETS['demo']) for job in temporal[:trained]] == demo[:trained]
    assert [job.keyframes for job in temporal[trained:]] == [6] * 25


def test_existing_folders_are_kept(smallest: Preset, tmp_path: Path) -> None:
    mine = tmp_path / 'mine'
    mine.mkdir()
    (mine / 'thesis.tex').write_text('x')
    for overwrite in (False, True):
        with pytest.raises(FileExistsError, match='no synthetic data set; choose another folder'):
            make_dataset(mine, smallest, overwrite=overwrite, progress=False)
    earlier = tmp_path / 'earlier'
    earlier.mkdir()
    (earlier / MARKER).write_text('{}')
    (earlier / 'old').write_text('x')
    with pytest.raises(FileExistsError, match='pass --overwrite to replace it'):
        make_dataset(earlier, smallest, progress=False)
    make_dataset(earlier, replace(smallest, train_scenes=1, val_scenes=0), overwrite=True, workers=1, progress=False)
    assert not (earlier / 'old').exists()
    assert json.loads((earlier / MARKER).read_text())['preset']['name'] == 'smallest'
    assert sorted(path.name for path in tmp_path.iterdir()) == ['earlier', 'mine']


def test_a_failed_run_leaves_nothing(smallest: Preset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(job: object) -> None:
        raise RuntimeError('lights out')

    monkeypatch.setattr(dataset, 'make_scene', fail)
    with pytest.raises(RuntimeError, match='lights out'):
        make_dataset(tmp_path / 'data', smallest, workers=1, progress=False)
    assert list(tmp_path.iterdir()) == []


def test_leftovers_of_killed_runs_are_removed(smallest: Preset, tmp_path: Path) -> None:
    gone = tmp_path / f'.data.partial-{platform.node()}-99999999'
    alive = tmp_path / f'.data.partial-{platform.node()}-{os.getppid()}'
    gone.mkdir()
    alive.mkdir()
    make_dataset(
        tmp_path / 'data', replace(smallest, train_scenes=1, val_scenes=0), workers=1, progress=False
    )
    assert not gone.exists()
    assert alive.exists()


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        ({'preset': 'huge'}, r"unknown preset 'huge'; choose from demo, temporal, benchmark, tiny"),
        ({'version': 'v2.0'}, r"unknown version 'v2.0'; choose from v1.0-mini"),
        ({'workers': 0}, 'at least 1, got 0'),
        ({'seed': -1}, 'must not be negative, got -1'),
    ],
)
def test_wrong_settings_are_named(tmp_path: Path, change: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make_dataset(tmp_path / 'data', **({'preset': 'tiny'} | change))


def test_a_small_disk_is_said_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = dataset.shutil.disk_usage(tmp_path)._replace(free=10_000_000)
    monkeypatch.setattr(dataset.shutil, 'disk_usage', lambda _: usage)
    with pytest.raises(OSError, match=r'about \d+ MB are needed, but only 10 MB are free'):
        make_dataset(tmp_path / 'data', 'demo')
