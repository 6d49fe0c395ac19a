"""Generate a whole data set: plan scenes, generate them in parallel, write tables, move the folder into place."""

from __future__ import annotations

import json
import multiprocessing
import os
import platform
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from nuscenes.utils import splits
from tqdm import tqdm

from .catalog import LOCATIONS
from .presets import PRESETS
from .rig import CAMERAS, LIDAR
from .scene import MAP_SIDE, SceneJob, make_scene
from .schema import TABLES, Tables, static_tables, token, write_table
from .settings import Preset

MARKER = 'synthetic.json'
VERSIONS: tuple[str, ...] = ('v1.0-mini', 'v1.0-trainval', 'v1.0-test')
_MAP_PIXELS_PER_METRE = 10
_ROAD_WIDTH = 14.0
# The devkit refuses to read CAN bus messages of these scenes, because nuScenes has none.
_WITHOUT_CAN_BUS = {*range(161, 169), *range(170, 177), *range(309, 315)}

Array = npt.NDArray[np.float64]


def make_dataset(
    out: Path | str,
    preset: Preset | str,
    version: str = 'v1.0-trainval',
    seed: int = 0,
    workers: int | None = None,
    overwrite: bool = False,
    progress: bool = True,
) -> Path:
    """Write a synthetic nuScenes.

    The result depends on preset, version and seed only. The folder appears under its name when it is complete; a run
    that fails leaves nothing behind.

    Args:
        out: Folder to make.
        preset: A preset or its name.
        version: nuScenes version; it decides the splits and thereby the scenes' names.
        seed: Seed of everything random.
        workers: Number of processes, by default one per processor.
        overwrite: Whether an earlier synthetic data set at ``out`` may be replaced.
        progress: Whether a progress bar is shown.

    Returns:
        ``out``.

    Raises:
        ValueError: If preset, version or the number of workers is unknown or impossible.
        FileExistsError: If ``out`` exists and may not be replaced.
        OSError: If the disk is too small.
    """
    out = Path(out).expanduser().resolve()
    if isinstance(preset, str):
        if preset not in PRESETS:
            raise ValueError(f'unknown preset {preset!r}; choose from {", ".join(PRESETS)}')
        preset = PRESETS[preset]
    if version not in VERSIONS:
        raise ValueError(f'unknown version {version!r}; choose from {", ".join(VERSIONS)}')
    workers = workers if workers is not None else _processors()
    if workers < 1:
        raise ValueError(f'the number of workers must be at least 1, got {workers}')
    if seed < 0:
        raise ValueError(f'the seed must not be negative, got {seed}')
    _check_target(out, overwrite)
    jobs = plan_scenes(out, preset, version, seed)
    _check_space(out, jobs)
    with _put_in_place(out) as root:
        _make_folders(root, version)
        jobs = plan_scenes(root, preset, version, seed)
        results = _make_scenes(jobs, workers, progress)
        tables = static_tables() | {name: [r for part, _ in results for r in part[name]] for name in results[0][0]}
        tables['map'] = _write_maps(root, tables, [path for _, path in results])
        for name in TABLES:
            write_table(root / version, name, tables[name])
        marker = {'version': version, 'seed': seed, 'preset': asdict(preset)}
        (root / MARKER).write_text(json.dumps(marker, indent=1) + '\n', encoding='utf-8')
    return out


def _processors() -> int:
    """Return the number of CPUs available to this process, or of the machine where the system cannot tell."""
    return len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count() or 1


def plan_scenes(root: Path, preset: Preset, version: str, seed: int) -> list[SceneJob]:
    """Plan the scenes of a data set, named as in the devkit's splits."""
    if version == 'v1.0-test':
        parts = [(splits.test, preset.test_scenes, preset.val_keyframes)]
    else:
        train, val = (
            (splits.mini_train, splits.mini_val) if version == 'v1.0-mini' else (splits.train, splits.val)
        )
        parts = [(train, preset.train_scenes, preset.train_keyframes), (val, preset.val_scenes, preset.val_keyframes)]
    jobs: list[SceneJob] = []
    for names, count, keyframes in parts:
        usable = [name for name in names if int(name[-4:]) not in _WITHOUT_CAN_BUS]
        jobs += [
            SceneJob(root, version, preset, seed, len(jobs) + i, name, keyframes, version != 'v1.0-test')
            for i, name in enumerate(usable[:count])
        ]
    return jobs


def _make_scenes(jobs: list[SceneJob], workers: int, progress: bool) -> list[tuple[Tables, Array]]:
    total = sum(job.keyframes for job in jobs)
    bar = tqdm(total=total, unit=' keyframes', desc='synthetic nuScenes', disable=not progress)
    results = []
    with bar, _mapper(min(workers, len(jobs))) as mapper:
        for job, result in zip(jobs, mapper(make_scene, jobs), strict=True):
            results.append(result)
            bar.update(job.keyframes)
    return results


@contextmanager
def _mapper(workers: int) -> Iterator[Callable[..., Iterator[tuple[Tables, Array]]]]:
    """``map`` over worker processes, in order; without any for one worker."""
    if workers == 1:
        yield map
        return
    # A clean server imports once and forks the workers. Forking this process would copy the locks of threads that the
    # child does not have (a test runner's, OpenMP's): such a worker can wait for ever.
    method = 'forkserver' if 'forkserver' in multiprocessing.get_all_start_methods() else 'spawn'
    context = multiprocessing.get_context(method)
    context.set_forkserver_preload([__package__])
    pool = ProcessPoolExecutor(workers, context, cv2.setNumThreads, (1,))
    try:
        yield pool.map
    finally:
        pool.shutdown(cancel_futures=True)


def _check_target(out: Path, overwrite: bool) -> None:
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return
    if not (out / MARKER).is_file():
        raise FileExistsError(f'{out} exists and is no synthetic data set; choose another folder or remove it yourself')
    if not overwrite:
        raise FileExistsError(f'{out} exists already; pass --overwrite to replace it, or choose another folder')


def _check_space(out: Path, jobs: list[SceneJob]) -> None:
    preset = jobs[0].preset
    sweep = preset.lidar.beams * preset.lidar.azimuths * 20 * 0.8
    images = 6 * preset.camera.height * preset.camera.width * 0.5
    needed = sum(job.keyframes for job in jobs) * (sweep * (1 + len(preset.sweep_slots)) + images) + 50e6
    folder = next(parent for parent in (out, *out.parents) if parent.exists())
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise OSError(f'about {needed / 1e6:.0f} MB are needed, but only {free / 1e6:.0f} MB are free at {folder}')


@contextmanager
def _put_in_place(out: Path) -> Iterator[Path]:
    """Yield a folder beside ``out``: renamed to it on success, removed on failure."""
    out.parent.mkdir(parents=True, exist_ok=True)
    _sweep_up(out)
    owner = f'{platform.node()}-{os.getpid()}'
    partial, old = (out.parent / f'.{out.name}.{state}-{owner}' for state in ('partial', 'old'))
    partial.mkdir()
    try:
        yield partial
        if out.exists():
            out.rename(old)
        partial.rename(out)
    except BaseException as error:
        shutil.rmtree(partial, ignore_errors=True)
        if old.exists() and not out.exists():
            old.rename(out)
        if isinstance(error, OSError) and error.filename is None and error.strerror:  # A full disk names no file.
            raise OSError(error.errno, f'cannot write {out}: {error.strerror}') from error
        raise
    shutil.rmtree(old, ignore_errors=True)


def _sweep_up(out: Path) -> None:
    """Remove leftovers of killed runs for the same folder on this machine."""
    for left in out.parent.glob(f'.{out.name}.*-{platform.node()}-*'):
        owner = left.name.rpartition('-')[2]
        if owner.isdigit() and (int(owner) == os.getpid() or not _alive(int(owner))):
            shutil.rmtree(left, ignore_errors=True)


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        # It lives and belongs to someone else.
        return True
    return True


def _make_folders(root: Path, version: str) -> None:
    names = [version, 'maps', 'can_bus', f'sweeps/{LIDAR}', *(f'samples/{channel}' for channel in (*CAMERAS, LIDAR))]
    for name in names:
        (root / name).mkdir(parents=True)


def _write_maps(root: Path, tables: Tables, paths: list[Array]) -> list[dict[str, object]]:
    """Draw the roads of each location into a mask, 0.1 m per pixel with north up, and return the map table."""
    side = int(MAP_SIDE * _MAP_PIXELS_PER_METRE)
    records: list[dict[str, object]] = []
    for location in LOCATIONS:
        mask = np.zeros((side, side), np.uint8)
        logs = [k for k, log in enumerate(tables['log']) if log['location'] == location]
        for k in logs:
            pixels = paths[k] * _MAP_PIXELS_PER_METRE
            pixels[:, 1] = side - pixels[:, 1]
            width = int(_ROAD_WIDTH * _MAP_PIXELS_PER_METRE)
            cv2.polylines(mask, [np.round(pixels).astype(np.int32)], False, 255, width)
        filename = f'maps/{token("map", location)}.png'
        done, data = cv2.imencode('.png', mask)
        assert done, 'an 8-bit mask can always be encoded'
        (root / filename).write_bytes(data.tobytes())
        records.append(
            {
                'token': token('map', location),
                'log_tokens': [tables['log'][k]['token'] for k in logs],
                'category': 'semantic_prior',
                'filename': filename,
            }
        )
    return records
