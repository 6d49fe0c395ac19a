"""Walk the tables of nuScenes without trusting them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from nuscenes.nuscenes import NuScenes

AGAIN = 'Unpack the metadata again, or leave the scene out'


class TablesError(ValueError):
    """Tables that are damaged, contradict each other, or have nothing that is on the disk."""


def samples_of(nusc: NuScenes, scene: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the samples of a scene from the first on, by their links.

    Raises:
        TablesError: If a link leads back or into another scene, or the scene does not have as many samples as it says.
    """
    token, seen = scene['first_sample_token'], set[str]()
    while token:
        where = f'scene {scene["name"]}: sample {token}'
        if token in seen:
            raise TablesError(f"{where}: expected a chain of 'next' that ends, found one that comes back here. {AGAIN}")
        sample = nusc.get('sample', token)
        if sample['scene_token'] != scene['token']:
            found = f'one of scene {sample["scene_token"]}'
            raise TablesError(f'{where}: expected a sample of this scene, found {found}. {AGAIN}')
        seen.add(token)
        yield sample
        token = sample['next']
    if len(seen) != scene['nbr_samples']:
        expected = f'nbr_samples = {scene["nbr_samples"]}'
        raise TablesError(f'scene {scene["name"]}: expected {expected}, found {len(seen)} linked. {AGAIN}')


@contextmanager
def broken_tables_explained(folder: Path) -> Iterator[None]:
    """Turn what broken tables raise into one line, with the folder.

    Raises:
        TablesError: In place of errors of the JSON reader, of missing rows and fields, and of values of a wrong type.
    """
    try:
        yield
    except TablesError as error:
        raise TablesError(f'{folder}: {error}') from error
    except (KeyError, IndexError, TypeError, AttributeError, ValueError) as error:
        found = f'no {error}' if isinstance(error, KeyError) else f'{type(error).__name__}: {error}'.splitlines()[0]
        raise TablesError(
            f'{folder}: expected nuScenes tables whose tokens all lead to rows, found {found}. Unpack them again'
        ) from error
