"""Processes that need not import the stack anew, which takes longer than most of what is tested in them: forks."""

from __future__ import annotations

import json
import multiprocessing
import os
import runpy
import signal
import socket
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import mmdet3d.registry
import torch
import torch._dynamo  # the first optimizer imports it: a second that forks need not spend
from mmengine.registry import Registry
from mmengine.utils import ManagerMixin

REPO = Path(__file__).resolve().parents[1]
CONTEXT = multiprocessing.get_context('spawn' if torch.cuda.is_available() else 'fork')
"""How processes that train start: CUDA, and autograd where there is a GPU, do not work in forks."""
REGISTRIES = [value for value in vars(mmdet3d.registry).values() if isinstance(value, Registry)]

CLIENT = '''#!{python} -S
import json, os, socket, sys
connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
connection.connect({path!r})
message = dict(words=sys.argv, folder=os.getcwd(), variables=dict(os.environ))
socket.send_fds(connection, [json.dumps(message).encode()], [1, 2])
sys.exit(int(connection.recv(16) or b'1'))
'''


def in_fork(function: Callable[..., Any], *args: object) -> Any:
    """Result of a function of a module in a fork of this process; errors are raised here."""
    with ProcessPoolExecutor(1, multiprocessing.get_context('fork')) as pool:
        return pool.submit(function, *args).result()


def forget(*packages: str) -> None:
    """Make packages as if they had never been imported, in sys.modules, mmdet3d's registries and sys.path."""

    def concerned(name: str) -> bool:
        return name.partition('.')[0] in packages

    for name in filter(concerned, list(sys.modules)):
        del sys.modules[name]
    for registry in REGISTRIES:
        for key in [key for key, value in registry.module_dict.items() if concerned(value.__module__)]:
            del registry.module_dict[key]
        registry._locations[:] = [place for place in registry._locations if not concerned(place)]
    sys.path[:] = [place for place in sys.path if Path(place).resolve() != REPO]


def restart() -> None:
    """Forget what runners before this fork have told the process, and print where the fork's output goes."""
    sys.stdout, sys.stderr = (open(number, 'w', buffering=1, closefd=False) for number in (1, 2))  # noqa: SIM115
    for kind in ManagerMixin.__subclasses__():
        kind._instance_dict.clear()


def run_tool(words: list[str], folder: str, variables: dict[str, str]) -> int:
    """``python FILE ARGUMENTS`` of the repository's tool of the same name; returns its exit status."""
    restart()
    os.environ.clear()
    os.environ.update(variables)
    torch.set_num_threads(int(variables.get('OMP_NUM_THREADS', '1')))
    os.chdir(folder)
    while not words[0].endswith('.py'):
        words = words[1:]
    sys.argv = [str(REPO / 'tools' / Path(words[0]).name), *words[1:]]
    try:
        runpy.run_path(sys.argv[0], run_name='__main__')
    except SystemExit as end:
        return int(end.code or 0) if isinstance(end.code, int | None) else 1
    except BaseException:
        traceback.print_exc()
        return 1
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
    return 0


def end_with(connection: socket.socket) -> None:
    """End this process when the other end is closed."""
    connection.recv(1)
    os._exit(137)


def serve(path: str) -> None:
    """Run each tool that is asked for in a fork, which ends when the one who asked does."""
    import bevdistill.engine  # noqa: F401

    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    listener.bind(path)
    listener.listen()
    while True:
        connection, _ = listener.accept()
        message, (out, err), _, _ = socket.recv_fds(connection, 1 << 20, 2)
        if os.fork() == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            os.dup2(out, 1)
            os.dup2(err, 2)
            threading.Thread(target=end_with, args=(connection,), daemon=True).start()
            connection.send(str(run_tool(**json.loads(message))).encode())
            os._exit(0)
        os.close(out)
        os.close(err)
        connection.close()


@contextmanager
def forked_tools(folder: Path) -> Iterator[Path]:
    """A folder with train.py, test.py and an interpreter that hand their command line to a process that forks."""
    path = folder / 'server'
    server = CONTEXT.Process(target=serve, args=(str(path),))
    server.start()
    stand_ins = folder / 'tools'
    stand_ins.mkdir()
    for name in ('train.py', 'test.py', 'python'):
        (stand_ins / name).write_text(CLIENT.format(python=sys.executable, path=str(path)))
        (stand_ins / name).chmod(0o755)
    try:
        while not path.exists():
            server.join(0.05)
            assert server.is_alive()
        yield stand_ins
    finally:
        server.kill()
        server.join()
