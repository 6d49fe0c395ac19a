"""Read a config file and override its entries, without importing torch."""

from __future__ import annotations

import difflib
import tempfile
from collections.abc import Mapping
from pathlib import Path
from pprint import pformat
from typing import Any

from mmengine.config import Config
from mmengine.config.utils import MODULE2PACKAGE
from mmengine.utils import import_modules_from_strings

from ..checkpoints.whole_file import full_disk_explained
from .config_check import check_config
from .data_root import set_data_root
from .overrides import apply_overrides
from .shipped import config_path, find_projects, shipped_namesakes

MODULE2PACKAGE.setdefault('bevdistill', 'bevdistill')  # what mmengine lets stand before `::` in `_base_`

ENDINGS = ('.py', '.yml', '.yaml', '.json')
"""Of configs, as mmengine reads them."""

_latest: dict[str, str] = {}


class OrderedConfig(Config):
    """Config whose text keeps the order of its keys.

    mmengine sorts them, and the stages of a pipeline run in their order: the file that a run leaves in its work dir
    would be another pipeline. Nor does yapf format the text, which takes seconds. A run asks five times for the same
    text, so the latest one is kept.
    """

    @property
    def pretty_text(self) -> str:
        """Text of a config file with the same entries."""
        entries = self.to_dict()
        if _latest.get('entries') != (seen := repr(entries)):
            lines = (f'{key} = {pformat(value, width=116, sort_dicts=False)}\n' for key, value in entries.items())
            _latest.update(entries=seen, text=''.join(lines))
        return _latest['text']


def read_config(
    path: str | Path,
    overrides: Mapping[str, Any] | None = None,
    work_dir: str | Path | None = None,
    launcher: str = 'none',
    data_root: str | Path | None = None,
) -> Config:
    """Read a config file, override entries and settle the work dir; ``custom_imports`` are not yet imported.

    Args:
        path: The config file, or ``bevdistill::PATH`` inside the package's ``configs``.
        overrides: From dotted key to value, as :func:`apply_overrides` takes it.
        work_dir: Folder of the run; otherwise the config's own ``work_dir``, otherwise ``work_dirs/<file name>``.
        launcher: ``none``, ``pytorch``, ``slurm`` or ``mpi``.
        data_root: Data root in place of the config's, see :func:`set_data_root`; overrides come after it.

    Raises:
        FileNotFoundError: If the file does not exist; names the nearest file beside it.
        NotADirectoryError: If the data root does not exist.
        ValueError: If the file cannot be read as a config, an override does not fit, a top-level key is misspelt or a
            value cannot be.
    """
    file = config_path(path)
    if not file.is_file():
        raise FileNotFoundError(_no_config(file))
    if file.suffix not in ENDINGS:
        swapped = '; are config and checkpoint swapped?' if file.suffix in ('.pth', '.pt', '.ckpt') else ''
        raise ValueError(f'{file} is no config: expected a file that ends in {", ".join(ENDINGS)}{swapped}')
    try:
        with full_disk_explained(tempfile.gettempdir()):  # mmengine writes a copy there.
            cfg = Config.fromfile(str(file), import_custom_modules=False)
    except OSError:  # Of a base, say; its message names the file.
        raise
    except Exception as error:  # A config is Python, and can fail in any way.
        words = str(error) or 'without a word of why; configs hold plain values, --traceback shows where'
        raise ValueError(f'{file}: cannot be read as a config: {type(error).__name__}: {words}') from error
    cfg = OrderedConfig(without_own_scope(cfg.to_dict()), cfg.text, cfg.filename, cfg.env_variables)
    if data_root is not None:
        set_data_root(cfg, data_root)
    apply_overrides(cfg, overrides or {})
    check_config(cfg.to_dict(), str(file))
    if work_dir is not None:
        cfg.work_dir = str(Path(work_dir).expanduser())
    elif cfg.get('work_dir') is None:
        cfg.work_dir = default_work_dir(file)
    cfg.launcher = launcher
    return cfg


def default_work_dir(file: Path) -> str:
    """Name the folder of runs of a config that names none, as OpenMMLab's scripts do."""
    return str(Path('work_dirs') / file.stem)


def import_custom_modules(cfg: Config) -> None:
    """Import the modules that a config names in ``custom_imports``.

    Raises:
        ImportError: If one cannot be imported.
    """
    imports = cfg.get('custom_imports')
    if imports:
        find_projects()
        import_modules_from_strings(**imports)


def without_own_scope(entry: Any) -> Any:
    """Drop ``_scope_='bevdistill'``, which mmengine adds below ``bevdistill::`` bases: the registries are mmdet3d's."""
    if isinstance(entry, dict):
        return {
            key: without_own_scope(value)
            for key, value in entry.items()
            if (key, value) != ('_scope_', 'bevdistill')
        }
    if isinstance(entry, list | tuple):
        return type(entry)(without_own_scope(value) for value in entry)
    return entry


def load_config(
    path: str | Path,
    overrides: Mapping[str, Any] | None = None,
    work_dir: str | Path | None = None,
    launcher: str = 'none',
    data_root: str | Path | None = None,
) -> Config:
    """Read a config as :func:`read_config` does, then import its ``custom_imports``."""
    cfg = read_config(path, overrides, work_dir, launcher, data_root)
    import_custom_modules(cfg)
    return cfg


def _no_config(file: Path) -> str:
    absent = not file.parent.is_dir()
    if (absent or file.name == str(file)) and (same := shipped_namesakes(file.name)):
        return f'no config file {file}; did you mean {" or ".join(same)}?'
    if absent:
        return f'no config file {file}; the folder {file.parent} does not exist'
    near = difflib.get_close_matches(file.name, [other.name for other in file.parent.glob('*.py')], n=1, cutoff=0.3)
    return f'no config file {file}' + (f'; did you mean {file.parent / near[0]}?' if near else '')
