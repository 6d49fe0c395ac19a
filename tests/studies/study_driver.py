"""Real trainings by a study, one of them killed, all as forks of one process that has imported the stack.

    python study_driver.py WORDS.json

Prints one line of JSON at the end. Not a test of its own: importing the stack anew takes longer than each training. The
study gets tools that hand their command line to this process and end with the status of its fork.
"""

from __future__ import annotations

import argparse
import json
import os
import runpy
import signal
import socket
import sys
import threading
import time
from pathlib import Path

REPO = Path(__file__).resolve().parents[2]
CLIENT = '''
import json, os, socket, sys
connection = socket.socket(socket.AF_UNIX)
connection.connect({path!r})
socket.send_fds(connection, [json.dumps(dict(words=sys.argv, threads=os.environ['OMP_NUM_THREADS'])).encode()], [1, 2])
sys.exit(int(connection.recv(16) or b'1'))
'''


def serve(listener: socket.socket) -> None:
    """Run each tool that is asked for in a fork, which ends when the one who asked does."""
    while True:
        connection, _ = listener.accept()
        message, (out, err), _, _ = socket.recv_fds(connection, 1 << 20, 2)
        if os.fork() == 0:
            os.dup2(out, 1)
            os.dup2(err, 2)
            threading.Thread(target=end_with, args=(connection,), daemon=True).start()
            status = run_tool(**json.loads(message))
            connection.send(str(status).encode())
            os._exit(0)
        for descriptor in (out, err):
            os.close(descriptor)
        connection.close()


def end_with(connection: socket.socket) -> None:
    """End this process when the other end is closed."""
    connection.recv(1)
    os._exit(137)


def run_tool(words: list[str], threads: str) -> int:
    """``python FILE ARGUMENTS`` of the repository's tool of the same name; returns its exit status."""
    import torch

    torch.set_num_threads(int(threads))
    os.chdir(REPO)
    tool = REPO / 'tools' / Path(words[0]).name
    sys.argv = [str(tool), *words[1:]]
    try:
        runpy.run_path(str(tool), run_name='__main__')
    except SystemExit as end:
        return int(end.code or 0) if isinstance(end.code, int | None) else 1
    except BaseException:
        import traceback

        traceback.print_exc()
        return 1
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
    return 0


def start_study(*words: str) -> int:
    """Start ``study run`` in a fork; returns its number."""
    from bevdistill.cli import study

    pid = os.fork()
    if pid == 0:
        parser = argparse.ArgumentParser()
        study.add_arguments(parser)
        os._exit(study.run(parser.parse_args(['run', *words])))
    return pid


def wait(pid: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def run(study: str, out: str, victim: str, alone: str) -> dict[str, int]:
    """A study that is killed in the middle of one run and started again; that run undisturbed."""
    words = ['--tools', f'{out}/tools', '--cores', '1', '--threads', '1']
    first = start_study(study, '--out', f'{out}/study', *words)
    in_the_middle = Path(out, 'study', 'runs', victim, 'iter_2.pth')
    deadline = time.monotonic() + 600
    while not in_the_middle.exists() and time.monotonic() < deadline:
        time.sleep(0.005)
    os.kill(first, signal.SIGKILL)
    killed = wait(first)
    again = wait(start_study(study, '--out', f'{out}/study', *words))
    undisturbed = wait(start_study(alone, '--out', f'{out}/alone', *words))
    return dict(killed=killed, again=again, undisturbed=undisturbed)


def main(words: dict[str, str]) -> None:
    """Import the stack, serve the tools, and run the studies."""
    import mmdet3d.datasets
    import mmdet3d.evaluation
    import mmdet3d.models  # noqa: F401

    import bevdistill.engine  # noqa: F401

    path = f'{words["out"]}/tools.socket'
    Path(words['out'], 'tools').mkdir()
    for name in ('train', 'test'):
        Path(words['out'], 'tools', f'{name}.py').write_text(CLIENT.format(path=path))
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen()
    server = os.fork()
    if server == 0:
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)
        serve(listener)
    try:
        print('\n' + json.dumps(run(**words)))
    finally:
        os.kill(server, signal.SIGKILL)


if __name__ == '__main__':
    main(json.loads(Path(sys.argv[1]).read_text()))
