"""Read and write information files: gzip-compressed msgpack of our own, JSON, and pickles of other tools."""

from __future__ import annotations

import functools
import gzip
import json
import os
import shlex
import zlib
from pathlib import Path
from typing import Any

from .read import conversion, layout_of, other_kind

ENDING = '.msgpack.gz'
ENDINGS = (ENDING, '.pkl', '.json')
"""Of information files that are taken for one another, the preferred first."""

LARGEST_RATIO = 64
SMALL = 1 << 28
"""Bytes that any file may unpack to; beyond them :data:`LARGEST_RATIO` times its size. Real files unpack to thrice."""

CREATE = 'bevdistill data create nuscenes --root-path {root} --version VERSION'

Infos = dict[str, Any]


def split_of(path: str | Path) -> str:
    """Return the name of an information file without its ending; files of one name hold the same samples."""
    name = Path(path).name
    return next((name.removesuffix(ending) for ending in ENDINGS if name.endswith(ending)), name)


def create_command(root: str | Path) -> str:
    """Return the command that writes the information files of a root: of own data where it holds their layout."""
    if any(Path(root).glob('*.jsonl')):
        return f'bevdistill data import {shlex.quote(str(root))}'
    return CREATE.format(root=shlex.quote(str(root)))


def find_infos(path: str | Path) -> str:
    """Find an information file, or the one of the same name and another ending, and say so then.

    Configs written for ``.pkl`` read the files that are written today, and today's configs those of earlier releases.

    Raises:
        FileNotFoundError: If there is neither.
    """
    wanted = str(path)
    if '://' in wanted or os.path.isfile(wanted):
        return wanted
    folder = Path(wanted).parent
    for ending in ENDINGS:
        other = folder / f'{split_of(wanted)}{ending}'
        if other.is_file():
            _notice(f'{wanted} is not there; reading {other.name}, which has the same name and another ending')
            return str(other)
    raise FileNotFoundError(f'no information file {wanted}; write it with: {create_command(folder)}')


@functools.cache
def _notice(line: str) -> None:
    """Log a line, the first time only."""
    from mmengine.logging import print_log

    print_log(line, 'current')


def read_infos(path: str | Path) -> Infos:
    """Read an information file as plain data; nothing in it is run, whatever its form.

    What the file holds decides, not its name: msgpack compressed by gzip, JSON, or a pickle, of which plain
    containers and numpy arrays of numbers or text are taken (:func:`plain_unpickle`).

    Args:
        path: A file, or an address that mmengine's file clients know.

    Returns:
        ``metainfo``, a dict, and ``data_list``, a list of records (dicts).

    Raises:
        FileNotFoundError: If it is missing.
        ValueError: If it is damaged, holds more than plain data, or is no information file.
    """
    name = find_infos(path)
    return _checked(read_plain(name), name)


def read_plain(name: str) -> Any:
    """Read a file of any layout as plain data, see :func:`read_infos`.

    Raises:
        FileNotFoundError: If it is missing.
        ValueError: If it is damaged, holds more than plain data, or is of another kind; says which.
    """
    content = _fetched(name) if '://' in name else Path(name).read_bytes()
    other = other_kind(content[:64])
    if other:
        raise ValueError(f'{name} {other}')
    try:
        return _decoded(content)
    except (ValueError, RecursionError, MemoryError, OverflowError, zlib.error) as error:
        raise ValueError(_unreadable(name, content, error)) from error


def _fetched(address: str) -> bytes:
    from mmengine.fileio import get

    content: bytes = get(address)
    return content


def _decoded(content: bytes) -> Any:
    if content[:2] == b'\x1f\x8b':
        import msgpack

        return msgpack.unpackb(_unpacked(content), strict_map_key=False)
    if content and content[0] in b'{[ \n':
        return json.loads(content)
    from .inert_pickle import plain_unpickle

    if not content or content[0] not in b'\x80(}]c':
        raise ValueError('neither msgpack, JSON nor a pickle' if content else 'the file is empty')
    return plain_unpickle(content)


def _unpacked(content: bytes) -> bytes:
    """Decompress one gzip member and check its length and checksum; a small file cannot fill the memory."""
    reader = zlib.decompressobj(wbits=31)
    limit = max(SMALL, LARGEST_RATIO * len(content))
    plain = reader.decompress(content, limit)
    if not reader.eof:
        cut = len(plain) < limit
        raise ValueError('the file is cut off' if cut else f'it unpacks to more than {limit >> 20} MiB')
    return plain


def _unreadable(name: str, content: bytes, error: BaseException) -> str:
    from .inert_pickle import NotPlainPickleError

    create = create_command(Path(name).parent)
    why = str(error).splitlines()[0] if str(error) else type(error).__name__
    if isinstance(error, NotPlainPickleError):
        return (
            f'information file {name} is a pickle that holds {why}; expected plain containers and numpy arrays. '
            f'Nothing in it was run. Have whoever wrote it save plain data, or write it anew with: {create}'
        )
    return (
        f'information file {name} ({len(content)} bytes) cannot be read: {why}; expected the file that data create '
        f'wrote, whole. Copy it again, or write it anew with: {create}'
    )


def _checked(infos: Any, name: str) -> Infos:
    """Refuse what is no information file of mmdet3d 1.x."""
    found = f'a {type(infos).__name__}'
    if isinstance(infos, dict):
        found = f'a dict of {", ".join(map(str, list(infos)[:6])) or "nothing"}'
        records, metainfo = infos.get('data_list'), infos.get('metainfo')
        if isinstance(records, list) and isinstance(metainfo, dict):
            odd = next((i for i, record in enumerate(records) if not isinstance(record, dict)), None)
            if odd is None:
                return infos
            found = f'record {odd} of data_list of type {type(records[odd]).__name__}'
    convert = conversion(infos, name)
    if convert:
        raise ValueError(f'{name} {layout_of(infos)}; convert it with: {convert}')
    older = isinstance(infos, dict) and 'infos' in infos
    advice = ' (a file of mmdet3d below 1.1, or of a project made for it)' if older else ''
    raise ValueError(
        f'{name} is no information file: expected a dict of metainfo (a dict) and data_list (a list of dicts), found '
        f'{found}{advice}; write it with: {create_command(Path(name).parent)}'
    )


def write_infos(path: str | Path, infos: Infos) -> Path:
    """Write an information file: aside, on disk, then renamed, so that there is never a part of one.

    The same records give the same bytes.

    Args:
        path: Ends in :data:`ENDING`, or in ``.json`` for tools that read files by mmengine alone.
        infos: ``metainfo`` and ``data_list``, of dicts, lists, numbers, text and numpy arrays, which become lists.

    Returns:
        `path`.

    Raises:
        ValueError: If the name ends otherwise, or a value is not plain.
    """
    import msgpack

    from ...checkpoints.whole_file import write_whole

    if not str(path).endswith((ENDING, '.json')):
        raise ValueError(f'information files end in {ENDING}, got {path}; name it {split_of(path)}{ENDING}')
    try:
        if str(path).endswith('.json'):
            content = json.dumps(infos, default=_listed).encode()
        else:
            content = gzip.compress(msgpack.packb(infos, default=_listed), 1, mtime=0)
    except (TypeError, OverflowError) as error:
        raise ValueError(f'{path}: an information file holds plain data only ({error})') from error
    write_whole(content, path)
    return Path(path)


def _listed(value: Any) -> Any:
    """Turn an array, or a number of numpy, into lists of Python's numbers."""
    if hasattr(value, 'tolist'):
        return value.tolist()
    raise TypeError(f'cannot hold a {type(value).__module__}.{type(value).__qualname__}')
