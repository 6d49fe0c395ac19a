"""The project's own environment, ``.venv``: made, repaired and stamped.

The stamp is written last and removed first, so an interrupted set-up leaves an environment without one; the next call
completes whatever is there, and starts over from nothing if the result does not import.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .interpreters import ADVICE_OPS, find_base, inspect
from .machine import check_compiler, check_disk, find_compiler, include_folder
from .messages import BrokenEnvironmentError, SetupError, say
from .mmcv_wheel import MmcvWheel
from .pins import fingerprint, misfits, normalise, read_lock
from .process import Job, run, together

# mmcv is compiled with these, so they come first. numpy too: torch imports it when it is there, and one that is being
# installed at that moment ends the build with a bus error.
FIRST = ('torch', 'numpy', 'setuptools', 'wheel', 'ninja', 'packaging')
IMPORTS = ('mmengine.runner', 'mmcv.ops', 'mmdet.models', 'mmdet3d.models', 'mmdet3d.datasets', 'mmdet3d.evaluation',
           'nuscenes.nuscenes', 'nuscenes.eval.detection.evaluate', 'numba', 'bevdistill')


class Venv:
    """``.venv`` of one checkout.

    Args:
        repo: The checkout.
        cache: Folder outside of it for built wheels.
    """

    def __init__(self, repo: Path, cache: Path) -> None:
        self.repo, self.cache = repo, cache
        self.folder = repo / '.venv'
        self.python = self.folder / 'bin' / 'python'
        self.site = self.folder / 'lib' / 'python3.11' / 'site-packages'
        self.stamp = self.folder / 'bevdistill-stamp'
        self.logs = self.folder / 'logs'
        self.lock_file = repo / 'requirements' / 'lock.txt'
        self.pins = read_lock(self.lock_file)

    def key(self) -> str:
        """What the stamp holds when this environment is complete: the requirements and the place it was made for."""
        return f'{fingerprint(self.lock_file, self.repo / "setup.py")} {self.folder}'

    def installed(self) -> dict[str, str]:
        """Versions by name, read off the folder names, so that no interpreter has to start."""
        pairs = (folder.name[:-len('.dist-info')].rpartition('-') for folder in self.site.glob('*.dist-info'))
        return {normalise(name): version for name, _, version in pairs}

    def complete(self) -> bool:
        """Tell whether everything is there and nothing has changed since."""
        return (self.stamp.is_file() and self.stamp.read_text() == self.key() and os.access(self.python, os.X_OK)
                and not misfits(self.installed(), self.pins))

    def ensure(self, explicit: Path | None, candidates: list[Path]) -> Path:
        """Return the interpreter of a complete environment, made or repaired if need be.

        Args:
            explicit: Interpreter that the user named as the base, if any.
            candidates: Interpreters to look at otherwise.

        Raises:
            SetupError: for all that the user can put right.
        """
        if self.complete():
            return self.python
        with exclusive(self.repo) as hold:
            if not self.complete():
                begin = time.monotonic()
                self.build(explicit, candidates, hold)
                say(f'done in {time.monotonic() - begin:.0f} s')
        return self.python

    def build(self, explicit: Path | None, candidates: list[Path], hold: int) -> None:
        """Complete what is there; if the outcome does not import, start over from nothing, once."""
        fresh = self.prepare(explicit, candidates, hold)
        try:
            self.fill(hold)
        except BrokenEnvironmentError as error:
            if fresh:
                raise
            say(f'{error}')
            say('.venv is made anew')
            shutil.rmtree(self.folder)
            self.prepare(explicit, candidates, hold)
            self.fill(hold)

    def prepare(self, explicit: Path | None, candidates: list[Path], hold: int) -> bool:
        """Have a ``.venv`` that runs, of the right Python; True if it was made here."""
        self.stamp.unlink(missing_ok=True)
        found = inspect(self.python) if self.python.exists() else None
        if found and found.python.startswith('3.11.') and Path(found.prefix) == self.folder and self.has_pip():
            self.drop_torn_packages()
            return False
        check_disk(self.repo)
        base = find_base(explicit, candidates)
        if not any(self.cache.glob(f'cp311-torch{self.pins["torch"]}*-mmcv{self.pins["mmcv"]}-*')):
            check_compiler(find_compiler(), include_folder(base))
        if self.folder.exists():
            shutil.rmtree(self.folder)
        say(f'making .venv from {base} (5 to 8 minutes on two cores; later calls take no time)')
        # The log has to live outside until the folder exists.
        log = self.cache.parent / 'logs' / 'venv.log'
        run(Job('making .venv', [str(base), '-m', 'venv', str(self.folder)], log, hold=(hold,)))
        return True

    def has_pip(self) -> bool:
        """Tell whether the environment got as far as its own pip."""
        return subprocess.run([str(self.python), '-c', 'import pip'], capture_output=True).returncode == 0

    def drop_torn_packages(self) -> None:
        """Forget packages whose installation was cut off before pip wrote down their files."""
        for folder in self.site.glob('*.dist-info'):
            if not (folder / 'RECORD').is_file():
                shutil.rmtree(folder)

    def pip(self, what: str, log: str, *arguments: str, hold: int) -> Job:
        """Start ``pip install`` in this environment; bytecode is left to the first import, which needs a part of it."""
        command = [str(self.python), '-m', 'pip', 'install', '--no-input', '--disable-pip-version-check',
                   '--no-compile', *arguments]
        return Job(what, command, self.logs / log, hold=(hold,))

    def fill(self, hold: int) -> None:
        """Install all that is missing, mmcv's compilation beside the downloads, then import it and stamp."""
        wanted = misfits(self.installed(), self.pins)
        first = [f'{name}=={wanted[name]}' for name in FIRST if name in wanted]
        if first:
            say(f'1/4 installing {", ".join(first)}')
            # torch brings dependencies of its own: none on a CPU, CUDA's libraries from the plain index.
            run(self.pip('installing torch', 'torch.log', '--constraint', str(self.lock_file), *first, hold=hold))
        rest = {name: pin for name, pin in misfits(self.installed(), self.pins).items() if name != 'mmcv'}
        wheel = self.wheel()
        work = self.folder / 'build'
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir()
        with together() as jobs:
            if rest:
                say(f'2/4 installing {len(rest)} pinned packages')
                listing = work / 'rest.txt'
                listing.write_text('\n'.join(f'{name}=={pin}' for name, pin in rest.items()))
                arguments = ('--no-deps', '--no-build-isolation', '--requirement', str(listing))
                jobs.append(self.pip('installing packages', 'packages.log', *arguments, hold=hold))
            if 'mmcv' in wanted and not wheel.cached:
                say(f'3/4 compiling mmcv {wheel.version} with its operators (two to four minutes on two cores)')
                jobs.append(wheel.build_job(find_compiler(), work, self.logs / 'mmcv.log', (hold,)))
        if 'mmcv' in wanted:
            self.install_mmcv(wheel, work, hold)
        self.finish(hold)
        shutil.rmtree(work, ignore_errors=True)

    def wheel(self) -> MmcvWheel:
        """The wheel of mmcv for the torch that is installed here."""
        ops = inspect(self.python, ops=True).ops
        if ops['state'] == 'no torch':
            raise BrokenEnvironmentError(f'torch {self.pins["torch"]} in .venv does not import: {ops["detail"]}',
                                         f'See {self.logs}, then run the same command again')
        return MmcvWheel(self.python, self.pins['mmcv'], ops['torch'], ops['cuda'], self.cache)

    def install_mmcv(self, wheel: MmcvWheel, work: Path, hold: int) -> None:
        """Install the wheel and try its operators; one from the cache that does not work is built again."""
        from_cache = wheel.cached
        path = from_cache or wheel.keep(work)
        arguments = ('--no-deps', '--force-reinstall', str(path))
        run(self.pip('installing mmcv', 'mmcv-install.log', *arguments, hold=hold))
        ops = inspect(self.python, ops=True).ops
        if ops['state'] == 'ok':
            return
        wheel.forget()
        if not from_cache:
            raise SetupError(f'{ADVICE_OPS[ops["state"]][0]} although it was just built: {ops["detail"]}',
                             f'The log of the build is {self.logs / "mmcv.log"}')
        say(f'the cached wheel {path.name} does not work here ({ops["detail"]}): building it again')
        run(wheel.build_job(find_compiler(), work, self.logs / 'mmcv.log', (hold,)))
        self.install_mmcv(wheel, work, hold)

    def finish(self, hold: int) -> None:
        """Install the package itself in place, import everything, write the stamp."""
        say('4/4 installing bevdistill in place and trying all imports')
        run(self.pip('installing bevdistill', 'bevdistill.log', '--no-deps', '--no-build-isolation', '--editable',
                      str(self.repo), hold=hold))
        command = [str(self.python), '-W', 'ignore', '-c', 'import ' + ', '.join(IMPORTS)]
        try:
            run(Job('importing the packages', command, self.logs / 'imports.log', {'OMP_NUM_THREADS': '1'}, (hold,)))
        except SetupError as error:
            raise BrokenEnvironmentError('the packages in .venv do not import together',
                                         f'The log is {self.logs / "imports.log"}', error.excerpt) from error
        left = misfits(self.installed(), self.pins)
        if left:
            raise SetupError(f'still missing after the installation: {", ".join(left)}',
                             f'See {self.logs}, or remove .venv and run again')
        aside = self.stamp.with_suffix('.partial')
        aside.write_text(self.key())
        aside.rename(self.stamp)


@contextmanager
def exclusive(repo: Path) -> Iterator[int]:
    """Let one set-up at a time work in a checkout; yields the descriptor that holds the lock.

    The checkout's folder itself is locked: no file is left behind, and the lock ends with its last holder, however it
    ends.
    """
    descriptor = os.open(repo, os.O_RDONLY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say('another set-up works in this checkout; waiting for its end')
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield descriptor
    finally:
        os.close(descriptor)


