"""Keep mmengine's long start-up messages off the screen; the log file of the run has them."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmengine.logging import MMLogger
from mmengine.registry import VISBACKENDS, VISUALIZERS
from mmengine.runner import Runner

from ..for_people import config_explained

DUMPS = ('System environment:', 'Config:\n', 'Hooks will be executed')
"""How mmengine's messages of some 1,300 lines begin: environment, config, order of the hooks."""


class BriefRunner(Runner):
    """mmengine's runner, whose screen shows one line in place of the environment, the config and the hooks.

    What libraries raise about values of the config becomes one line too.
    """

    def build_model(self, *args: Any, **kwargs: Any) -> Any:
        """Build the model; see mmengine for the arguments."""
        with config_explained('model'):
            return super().build_model(*args, **kwargs)

    def build_optim_wrapper(self, *args: Any, **kwargs: Any) -> Any:
        """Build the optimizer."""
        with config_explained('optim_wrapper'):
            return super().build_optim_wrapper(*args, **kwargs)

    def build_param_scheduler(self, *args: Any, **kwargs: Any) -> Any:
        """Build the schedules."""
        with config_explained('param_scheduler'):
            return super().build_param_scheduler(*args, **kwargs)

    def build_train_loop(self, *args: Any, **kwargs: Any) -> Any:
        """Build the loop and the data of the training."""
        with config_explained('train_dataloader or train_cfg'):
            return super().build_train_loop(*args, **kwargs)

    def build_val_loop(self, *args: Any, **kwargs: Any) -> Any:
        """Build the loop, the data and the metric of the validation."""
        with config_explained('val_dataloader, val_evaluator or val_cfg'):
            return super().build_val_loop(*args, **kwargs)

    def build_test_loop(self, *args: Any, **kwargs: Any) -> Any:
        """Build the loop, the data and the metric of the test."""
        with config_explained('test_dataloader, test_evaluator or test_cfg'):
            return super().build_test_loop(*args, **kwargs)

    def build_visualizer(self, visualizer: Any = None) -> Any:
        """Build the visualizer; mmengine's own is not looked up in mmdet3d, which would import what draws meshes."""
        if isinstance(visualizer, dict) and _of_mmengine(visualizer):
            visualizer = dict(visualizer, _scope_='mmengine')
        return super().build_visualizer(visualizer)

    def dump_config(self) -> None:
        """Write the whole config into the work dir, unless it would replace the file that it was read from.

        ``<time>/vis_data/config.py`` has it in either case.
        """
        own = self.cfg.filename
        if own is None or Path(self.work_dir, Path(own).name).resolve() != Path(own).resolve():
            super().dump_config()

    def build_logger(self, *args: Any, **kwargs: Any) -> MMLogger:
        """Build the logger of the run; see mmengine for the arguments."""
        logger: MMLogger = super().build_logger(*args, **kwargs)
        files = [handler.baseFilename for handler in logger.handlers if isinstance(handler, logging.FileHandler)]
        for handler in logger.handlers:
            if files and not isinstance(handler, logging.FileHandler):
                handler.addFilter(is_no_dump)
        if files:
            logger.info(f'environment, config and hooks are in {files[0]}')
        return logger


def _of_mmengine(visualizer: Mapping[str, Any]) -> bool:
    """Tell whether a visualizer and its backends are classes of mmengine."""
    backends = visualizer.get('vis_backends') or []
    if '_scope_' in visualizer or not isinstance(backends, list):
        return False
    parts = [(VISUALIZERS, visualizer), *((VISBACKENDS, backend) for backend in backends)]
    return all(
        isinstance(part, dict)
        and (name := str(part.get('type'))) in registry.module_dict
        and not any(name in child.module_dict for child in registry.children.values())
        for registry, part in parts
    )


def is_no_dump(record: logging.LogRecord) -> bool:
    """Tell whether a record may be shown on the screen."""
    return not record.getMessage().lstrip('\n-').startswith(DUMPS)
