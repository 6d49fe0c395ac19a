"""The cache is written once, whole, by any number of processes, whatever happens in between."""

from __future__ import annotations

import errno
import os
import shutil
import signal
from collections import namedtuple
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.multiprocessing as mp
from cache_runs import COMMAND, SAMPLES, distilled, released, save_teacher, with_cache, write
from mmengine.config import Config

from bevdistill.datasets.infos import read_infos, write_infos
from bevdistill.structures import BEVGrid
from bevdistill.teacher_cache import CacheWriter, TeacherCache, follow_teacher_cache, storage

pytestmark = pytest.mark.usefixtures('one_thread')


@pytest.fixture(scope='module')
def whole(data: tuple[Path, Path], teacher: Path, tmp_path_factory: pytest.TempPathFactory) -> TeacherCache:
    """An undisturbed cache."""
    folder = tmp_path_factory.mktemp('whole')
    return write(distilled(teacher, data, folder), teacher, folder / 'cache', batch_size=4)


def assert_same(one: TeacherCache, other: TeacherCache) -> None:
    """The same samples and outputs, up to what another batch size does to a convolution."""
    assert one.samples.digests == other.samples.digests
    tokens = list(one.samples.digests)
    grid = BEVGrid((-25.6, -25.6, -5.0, 25.6, 25.6, 3.0), 32, 32)
    got, want = (
        cache.manifest.layout.unpack(torch.stack([cache.read(token) for token in tokens]), grid)
        for cache in (one, other)
    )
    assert got.taps() == want.taps()
    for tap in got.taps():
        torch.testing.assert_close(getattr(got, tap), getattr(want, tap), rtol=2e-3, atol=1e-4, msg=tap)


def test_holds_what_the_losses_want(whole: TeacherCache) -> None:
    assert whole.manifest.complete
    assert len(whole.samples.digests) == SAMPLES
    assert whole.manifest.layout.taps == ('logits', 'codes', 'references', 'bev', 'states')
    assert whole.manifest.teacher['classes'][0] == 'car'
    assert len({bytes(whole.read(token).numpy()) for token in whole.samples.digests}) == SAMPLES
    assert sorted(path.name for path in whole.folder.iterdir()) == ['manifest.json', 'records', 'samples.json']


def test_batch_and_workers_do_not_matter(data: Any, teacher: Path, whole: TeacherCache, tmp_path: Path) -> None:
    cfg = distilled(teacher, data, tmp_path)
    assert_same(write(cfg, teacher, tmp_path / 'one', batch_size=5, workers=2, dtype='float32'), whole)


def killed_after(count: int, cfg: Config, teacher: Path, folder: Path) -> None:
    """Write in this process, which dies while it writes record number `count`."""
    put, calls = storage.write_whole, []

    def dying(obj: bytes, filepath: Path) -> None:
        if str(filepath).endswith('.bin'):
            calls.append(filepath)
            if len(calls) > count:
                filepath.parent.mkdir(parents=True, exist_ok=True)
                filepath.with_name(f'.{filepath.name}.x.part').write_bytes(obj[: len(obj) // 2])
                os.kill(os.getpid(), signal.SIGKILL)
        put(obj, filepath)

    storage.write_whole = dying
    write(cfg, teacher, folder)


def in_process(target: Any, *args: Any) -> int:
    process = mp.get_context('fork').Process(target=target, args=args)
    process.start()
    process.join(timeout=120)
    return int(process.exitcode or 0)


def test_a_killed_run_goes_on(data: Any, teacher: Path, whole: TeacherCache, tmp_path: Path) -> None:
    cfg, folder = distilled(teacher, data, tmp_path), tmp_path / 'cache'
    assert in_process(killed_after, 5, cfg, teacher, folder) == -signal.SIGKILL
    cache = TeacherCache(folder)
    assert sum(cache.has(token) for token in cache.samples.digests) == 5
    with pytest.raises(ValueError, match=f'(?s)not complete: 3 of 8 samples are missing. Go on with\n  {COMMAND}'):
        follow_teacher_cache(with_cache(distilled(teacher, data, tmp_path), folder))
    before = {file: file.stat().st_mtime_ns for file in folder.glob('records/*/*.bin')}
    cache = write(cfg, teacher, folder)
    assert cache.manifest.complete
    assert_same(cache, whole)
    assert {file: file.stat().st_mtime_ns for file in before} == before
    assert not list(folder.rglob('*.part'))


def rank(index: int, cfg: Config, teacher: Path, folder: Path) -> None:
    os.environ.update(RANK=str(index), WORLD_SIZE='2')
    torch.set_num_threads(1)
    write(cfg, teacher, folder)


def test_two_processes_share_the_samples(data: Any, teacher: Path, whole: TeacherCache, tmp_path: Path) -> None:
    cfg, folder = distilled(teacher, data, tmp_path), tmp_path / 'cache'
    context = mp.get_context('fork')
    ranks = [context.Process(target=rank, args=(index, cfg, teacher, folder)) for index in range(2)]
    for process in ranks:
        process.start()
    for process in ranks:
        process.join(timeout=120)
    assert [process.exitcode for process in ranks] == [0, 0]
    cache = TeacherCache(folder)
    assert cache.manifest.complete
    assert_same(cache, whole)


def test_one_of_two_processes_writes_its_half(
    data: Any, teacher: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv('RANK', '1')
    monkeypatch.setenv('WORLD_SIZE', '2')
    cache = write(distilled(teacher, data, tmp_path), teacher, tmp_path / 'cache')
    assert not cache.manifest.complete
    assert sum(cache.has(token) for token in cache.samples.digests) == SAMPLES // 2


def test_a_disk_that_is_too_small_is_told_before(
    data: Any, teacher: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    usage = namedtuple('usage', 'total used free')
    monkeypatch.setattr(shutil, 'disk_usage', lambda path: usage(10**6, 0, 10**6))
    with pytest.raises(OSError, match=r'0\.\d+ GB for 8 samples, .* has 0\.001 GB free. Name another disk') as caught:
        write(distilled(teacher, data, tmp_path), teacher, tmp_path / 'cache')
    assert caught.value.errno == errno.ENOSPC
    assert not list((tmp_path / 'cache').glob('records/*/*'))
    assert '8 samples x 0.159 MB' in capsys.readouterr().out


def test_a_disk_that_fills_up(data: Any, teacher: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put, calls = storage.write_whole, []

    def full(obj: bytes, filepath: Path) -> None:
        calls.append(filepath)
        if len(calls) > 5:
            raise OSError(errno.ENOSPC, 'No space left on device')
        put(obj, filepath)

    cfg, folder = distilled(teacher, data, tmp_path), tmp_path / 'cache'
    with monkeypatch.context() as patch:
        patch.setattr(storage, 'write_whole', full)
        with pytest.raises(OSError, match=r'is full at sample .* what is written stays. Make room, go on with'):
            write(cfg, teacher, folder)
    assert write(cfg, teacher, folder).manifest.complete


def test_a_folder_of_another_teacher(data: Any, teacher: Path, whole: TeacherCache, tmp_path: Path) -> None:
    cfg = distilled(teacher, data, tmp_path)
    other = save_teacher(tmp_path / 'other.pth', cfg.model.teacher, seed=1)
    with pytest.raises(ValueError, match=r'(?s)holds a cache of something else.*teacher: the cache was made with'):
        write(cfg, other, whole.folder)
    with pytest.raises(ValueError, match=r'asked for are bev \(float32\), states \(float32\) and 64 of 64 queries'):
        write(cfg, teacher, whole.folder, dtype='float32')
    names = {CacheWriter(cfg, str(file)).default_folder(tmp_path, 'a').name for file in (teacher, other)}
    names |= {CacheWriter(cfg, str(teacher), dtype='float32').default_folder(tmp_path, 'a').name}
    assert len(names) == 3


def test_frames_need_no_labels(data: Any, teacher: Path, whole: TeacherCache, tmp_path: Path) -> None:
    cfg = distilled(teacher, data, tmp_path)
    leaf = cfg.train_dataloader.dataset.dataset
    infos = read_infos(leaf.ann_file)
    for record in infos['data_list']:
        record['instances'] = []
        del record['cam_instances']
    leaf.ann_file = str(tmp_path / 'unlabelled.msgpack.gz')
    write_infos(leaf.ann_file, infos)
    assert_same(write(cfg, teacher, tmp_path / 'cache'), whole)


def test_the_validation_split(data: Any, teacher: Path, whole: TeacherCache, tmp_path: Path) -> None:
    cache = write(distilled(teacher, data, tmp_path), teacher, tmp_path / 'cache', split='val')
    assert len(cache.samples.digests) == 6
    assert not set(cache.samples.digests) & set(whole.samples.digests)
    assert cache.manifest.key == whole.manifest.key


def test_taps_and_queries(data: Any, teacher: Path, tmp_path: Path) -> None:
    cfg = distilled(teacher, data, tmp_path)
    assert released(distilled(teacher, data, tmp_path)).model.losses.dense.tap == 'heatmap_features'
    assert CacheWriter(released(distilled(teacher, data, tmp_path)), str(teacher)).taps == ['bev', 'heatmap_features']
    cache = write(cfg, teacher, tmp_path / 'cache', taps=['heatmap', 'states'], top_k=20)
    assert cache.manifest.layout.taps == ('logits', 'codes', 'references', 'states', 'heatmap')
    assert (cache.manifest.queries, cache.manifest.all_queries) == (20, 64)
    with pytest.raises(ValueError, match=r'(?s)--top-k 10 is too small.*reads the best 20 queries of the teacher'):
        CacheWriter(cfg, str(teacher), top_k=10)
    cfg.model.teacher.pts_bbox_head.aux_heatmap = None
    with pytest.raises(ValueError, match=r"does not offer \['heatmap'\]; --taps can name \['bev', 'states'\]"):
        CacheWriter(cfg, str(teacher), taps=['heatmap'])


def test_configs_that_have_no_cache(data: Any, teacher: Path, tmp_path: Path) -> None:
    cfg = distilled(teacher, data, tmp_path)
    cfg.model.losses = {}
    with pytest.raises(ValueError, match='no loss of this config wants anything of the teacher'):
        CacheWriter(cfg, str(teacher))
    cfg.model = dict(type='ObjectDGCNN')
    with pytest.raises(ValueError, match=r'the config of a ObjectDGCNN alone. Name the config of the distillation'):
        CacheWriter(cfg, str(teacher))
    cfg = distilled(teacher, data, tmp_path)
    pipeline = cfg.train_dataloader.dataset.dataset.pipeline
    pipeline.points_turn = dict(type='GlobalRotScaleTrans')
    with pytest.raises(ValueError, match=r"(?s)cannot be cached.*'points_turn' \(GlobalRotScaleTrans\) moves LiDAR"):
        CacheWriter(cfg, str(teacher))
