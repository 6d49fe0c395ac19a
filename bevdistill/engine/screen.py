"""Keep mmengine's long start-up messages off the screen; the log file of the run has them."""

from __future__ import annotations

import logging
from typing import Any

from mmengine.logging import MMLogger
from mmengine.runner import Runner

DUMPS = ('System environment:', 'Config:\n', 'Hooks will be executed')
"""How mmengine's messages of some 1,300 lines begin: environment, config, order of the hooks."""


class BriefRunner(Runner):
    """mmengine's runner, whose screen shows one line in place of the environment, the config and the hooks."""

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


def is_no_dump(record: logging.LogRecord) -> bool:
    """Tell whether a record may be shown on the screen."""
    return not record.getMessage().lstrip('\n-').startswith(DUMPS)
