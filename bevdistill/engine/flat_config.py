"""Write a config as one file without bases, with its pipelines as the lists that OpenMMLab's scripts read."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmengine.config import Config

from ..for_people import config_explained
from ..structures.sensor_stages import listed_stages, unused_prefixes
from .config_file import OrderedConfig, default_work_dir
from .overrides import READ

PACK, BOXES = 'PackBEVInputs', 'LoadAnnotations3D'
HEAD = """# All that a run of {source} reads, without bases.
#
# train_pipeline and test_pipeline are for scripts that look for them, such as mmdet3d's tools/misc/browse_dataset.py:
# what the data sets run, of the current frame alone. No run reads them; runs read the pipelines of their data sets.
"""


def flat_text(cfg: Config, source: Path) -> str:
    """Return the text of a config file with all entries that a run reads, in their order, and two lists of stages.

    Args:
        cfg: The config, with its bases.
        source: Its file, for the comment and the error.

    Raises:
        ValueError: If an entry cannot be written, such as a function or an infinite number, or the stages of a data set
            are none.
    """
    entries = {key: value for key, value in cfg.to_dict().items() if key in READ}
    if entries.get('work_dir') == default_work_dir(source):
        del entries['work_dir']
    for name in ('train', 'test'):
        dataset = (entries.get(f'{name}_dataloader') or {}).get('dataset')
        if isinstance(dataset, Mapping):
            with config_explained(f'{name}_dataloader.dataset'):
                stages = shown_stages(dataset)
            entries[f'{name}_pipeline'] = stages
    for key, value in entries.items():
        try:
            ast.literal_eval(repr(value))
        except (ValueError, SyntaxError) as error:
            raise ValueError(
                f'{source}: {key}: expected plain values, which can be written into a file, found {repr(value)[:80]}; '
                'copy the config without --flat'
            ) from error
    return HEAD.format(source=source.name) + '\n' + OrderedConfig(entries).pretty_text


def shown_stages(dataset: Mapping[str, Any]) -> list[Any]:
    """List the stages of the innermost data set for browse_dataset.py.

    The script puts the loader of boxes into the test pipeline at the place that it has in the one of the training: here
    it is the first, which changes no sample, since other stages may be missing there.
    """
    while 'dataset' in dataset or 'datasets' in dataset:
        dataset = dataset['dataset'] if 'dataset' in dataset else dataset['datasets'][0]
    stages = listed_stages(dataset.get('pipeline') or (), unused_prefixes(dataset.get('modality')))
    stages = [{**stage, 'one_frame': True} if stage.get('type') == PACK else stage for stage in stages]
    return sorted(stages, key=lambda stage: bool(stage.get('type') != BOXES))
