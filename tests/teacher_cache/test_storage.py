from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch.multiprocessing as mp

from bevdistill.teacher_cache import CacheKey, Samples, TeacherCache, storage

COMMAND = 'python tools/cache_teacher.py config.py teacher.pth --out cache'


@pytest.fixture
def cache(save_teacher, batch, fill_cache) -> TeacherCache:
    return fill_cache(save_teacher(), batch())


def refuse(content: bytes, path: Path) -> None:
    raise AssertionError(f'nothing is to be written, but {path} is')


def test_manifest_says_what_it_is(cache: TeacherCache) -> None:
    again = TeacherCache(cache.folder)
    assert again.manifest == cache.manifest
    assert again.manifest.complete
    assert again.manifest.num_samples == 2
    assert set(again.samples.digests) == {'s0', 's1'}
    again.check(CacheKey(sha256=cache.manifest.key.sha256))


def test_a_missing_sample_names_token_and_command(cache: TeacherCache) -> None:
    with pytest.raises(FileNotFoundError, match='sample s7 is not in the teacher cache') as caught:
        cache.read('s7')
    assert COMMAND in str(caught.value)


def test_a_cut_record_is_told(cache: TeacherCache) -> None:
    file = cache.record_path('s1')
    file.write_bytes(file.read_bytes()[:-16])
    assert cache.has('s0')
    assert not cache.has('s1')
    with pytest.raises(ValueError, match=r'(?s)sample s1 .* has \d+ bytes, the layout \d+; delete .*--out cache'):
        cache.read('s1')


@pytest.mark.parametrize('how', ['zeros', 'swapped', 'a bit'])
def test_a_damaged_record_is_told(cache: TeacherCache, how: str) -> None:
    file, good = cache.record_path('s1'), cache.record_path('s1').read_bytes()
    flipped = bytearray(good)
    flipped[7] ^= 1
    bad = dict(zeros=bytes(len(good)), swapped=cache.record_path('s0').read_bytes(), **{'a bit': bytes(flipped)})[how]
    file.write_bytes(bad)
    assert len(cache.read('s0')) == cache.manifest.layout.nbytes
    with pytest.raises(ValueError, match=r'(?s)sample s1 .* is damaged: .* delete .*--out cache'):
        cache.read('s1')


def test_a_cache_without_checksums_is_read(cache: TeacherCache, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    monkeypatch.setattr(storage, 'print_log', lambda message, *_: said.append(message))
    size, file = cache.manifest.layout.nbytes, cache.folder / 'manifest.json'
    file.write_text(json.dumps(json.loads(file.read_text()) | dict(format=2)))
    for token in ('s0', 's1'):
        cache.record_path(token).write_bytes(cache.record_path(token).read_bytes()[:size])
    old = TeacherCache(cache.folder)
    assert old.has('s0')
    assert len(old.read('s1')) == size
    assert ['without checksums' in line for line in said] == [True]
    old.put_record('s1', old.read('s0').numpy())
    assert old.record_path('s1').stat().st_size == size, 'what is added to an old cache is as the rest of it'


def test_parts_of_killed_writers_are_removed(cache: TeacherCache) -> None:
    part = cache.record_path('s1').with_name('.s1.bin.x.part')
    part.write_bytes(b'half')
    cache.begin(cache.manifest, cache.samples, refuse)
    assert not part.exists()


def test_no_cache_and_another_format(tmp_path: Path, cache: TeacherCache) -> None:
    with pytest.raises(FileNotFoundError, match=r'(?s)no teacher cache in .*tools/cache_teacher.py CONFIG CHECKPOINT'):
        TeacherCache(tmp_path / 'nowhere').check(CacheKey())
    manifest = cache.folder / 'manifest.json'
    manifest.write_text(json.dumps(json.loads(manifest.read_text()) | dict(format=99)))
    with pytest.raises(ValueError, match='has format 99, this version reads 2 and 3'):
        TeacherCache(cache.folder).check(CacheKey())


def test_an_incomplete_cache_is_refused(save_teacher, batch, fill_cache) -> None:
    cache = fill_cache(save_teacher(), batch(), complete=False)
    cache.record_path('s0').unlink()
    with pytest.raises(ValueError, match=r'(?s)not complete: 1 of 2 samples are missing. Go on with\n  python tools/'):
        cache.check(CacheKey())
    assert cache.finish(refuse) == ['s0']


def test_a_folder_is_begun_once(cache: TeacherCache) -> None:
    manifest, samples = cache.manifest, cache.samples
    cache.begin(replace(manifest, command='another', complete=False), samples, refuse)
    others = [
        (replace(manifest, key=CacheKey('ff' * 32)), samples, 'this run names ffff'),
        (manifest, Samples({'s0': 'other', 's1': 'digest'}, {}), '1 sample with other LiDAR files'),
        (replace(manifest, num_samples=1), Samples({'s0': 'digest'}, {}), 'for 2 samples, the config has 1 of them'),
        (replace(manifest, all_queries=9), samples, 'asked for are .* and 6 of 9 queries'),
    ]
    for other, own, message in others:
        with pytest.raises(ValueError, match=f'(?s)holds a cache of something else.*{message}.*--out'):
            cache.begin(other, own, refuse)


def test_a_folder_of_others_is_refused(tmp_path: Path, cache: TeacherCache) -> None:
    cache.require_place()
    TeacherCache(tmp_path / 'new').require_place()
    for name, content in (('thesis.tex', ''), ('manifest.json', '{"matrix": "a study"}')):
        folder = tmp_path / f'with {name}'
        folder.mkdir()
        (folder / name).write_text(content)
        with pytest.raises(FileExistsError, match=rf'holds {name}, which a teacher cache did not write; name'):
            TeacherCache(folder).begin(cache.manifest, cache.samples, refuse)
    (folder / 'manifest.json').unlink()
    (folder / 'samples.json').write_text('{}')  # Of one that was killed as it began.
    TeacherCache(folder).require_place()
    with pytest.raises(NotADirectoryError, match=r'thesis.tex is a file; name a folder'):
        TeacherCache(tmp_path / 'with thesis.tex' / 'thesis.tex').require_place()


@pytest.mark.parametrize('token', ['scene/1', '..', 'a' * 32])
def test_any_token_has_a_file_inside_the_folder(tmp_path: Path, token: str) -> None:
    file = TeacherCache(tmp_path).record_path(token)
    assert file.resolve().is_relative_to(tmp_path.resolve() / 'records')
    assert len(file.relative_to(tmp_path).parts) == 3


def read_all(folder: str, answers: Any) -> None:
    cache = TeacherCache(folder)
    answers.put([int(cache.read(token).sum()) for token in ('s0', 's1') * 20])


def test_two_processes_read_at_once(cache: TeacherCache) -> None:
    context = mp.get_context('fork')
    answers = context.SimpleQueue()
    readers = [context.Process(target=read_all, args=(str(cache.folder), answers)) for _ in range(2)]
    for reader in readers:
        reader.start()
    sums = [answers.get() for _ in readers]
    for reader in readers:
        reader.join(timeout=60)
    want = [int(cache.read(token).sum()) for token in ('s0', 's1') * 20]
    assert sums == [want, want]
