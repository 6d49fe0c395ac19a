"""A headless Chromium, told what to do through a pipe: no driver and no port."""

from __future__ import annotations

import base64
import json
import os
import select
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

PROGRAM = shutil.which('chromium') or shutil.which('chromium-browser') or shutil.which('google-chrome')
FLAGS = (
    '--headless=new', '--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--disable-extensions',
    '--no-first-run', '--disable-background-networking', '--disable-component-update', '--hide-scrollbars',
    '--remote-debugging-pipe',
)  # fmt: skip
KEYS = {'ArrowRight': 39, 'ArrowLeft': 37, 'Home': 36, 'End': 35, 'Tab': 9}


class Browser:
    """One page in a browser of its own; commands are those of Chromium's DevTools protocol.

    Args:
        profile: An empty folder.
        seconds: After which a silent browser is an error.
    """

    def __init__(self, profile: Path, seconds: float = 60.0) -> None:
        to_browser, ours = os.pipe()
        theirs, from_browser = os.pipe()
        self._in, self._out, self.seconds = theirs, ours, seconds

        def connect() -> None:
            # Chromium reads from descriptor 3 and writes to 4; duplicates first, one of the two may be there already.
            pair = os.dup(to_browser), os.dup(from_browser)
            os.dup2(pair[0], 3)
            os.dup2(pair[1], 4)

        self._process = subprocess.Popen(
            [str(PROGRAM), *FLAGS, f'--user-data-dir={profile}', 'about:blank'], preexec_fn=connect, close_fds=False,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env={**os.environ, 'HOME': str(profile)},
        )  # fmt: skip
        os.close(to_browser)
        os.close(from_browser)
        self._buffer, self._count, self._session = b'', 0, None
        self.events: list[dict[str, Any]] = []
        page = next(t for t in self('Target.getTargets')['targetInfos'] if t['type'] == 'page')
        self._session = self('Target.attachToTarget', targetId=page['targetId'], flatten=True)['sessionId']
        for domain in ('Page', 'Runtime', 'Log', 'Network'):
            self(f'{domain}.enable')

    def __call__(self, method: str, **params: Any) -> Any:
        """Send a command and wait for its result."""
        self._count += 1
        message = dict(id=self._count, method=method, params=params)
        message |= {} if self._session is None else {'sessionId': self._session}
        os.write(self._out, json.dumps(message).encode() + b'\0')
        while (answer := self._next()).get('id') != message['id']:
            self.events.append(answer)
        assert 'error' not in answer, answer
        return answer['result']

    def _next(self) -> dict[str, Any]:
        end = time.monotonic() + self.seconds
        while b'\0' not in self._buffer:
            ready, _, _ = select.select([self._in], [], [], max(0.0, end - time.monotonic()))
            part = os.read(self._in, 1 << 20) if ready else b''
            assert part, 'the browser is silent'
            self._buffer += part
        message, _, self._buffer = self._buffer.partition(b'\0')
        return json.loads(message)

    def open(self, page: Path) -> None:
        """Open a file and wait until it is loaded."""
        self.events = [event for event in self.events if event.get('method') != 'Page.loadEventFired']
        self('Page.navigate', url=page.as_uri())
        while not any(event.get('method') == 'Page.loadEventFired' for event in self.events):
            self.events.append(self._next())

    def value(self, expression: str) -> Any:
        """Value of an expression in the page."""
        return self('Runtime.evaluate', expression=expression, returnByValue=True)['result'].get('value')

    def press(self, key: str) -> None:
        """Press and release a key."""
        for kind in ('keyDown', 'keyUp'):
            self('Input.dispatchKeyEvent', type=kind, key=key, code=key, windowsVirtualKeyCode=KEYS[key])

    def drag(self, start: tuple[float, float], end: tuple[float, float]) -> None:
        """Press the mouse at a place, move it to another, release it."""
        steps = (('mouseMoved', start), ('mousePressed', start), ('mouseMoved', end), ('mouseReleased', end))
        for kind, (x, y) in steps:
            self('Input.dispatchMouseEvent', type=kind, x=x, y=y, button='left', buttons=1, clickCount=1)

    def size(self, width: int, height: int = 900) -> None:
        """Change the size of the screen."""
        self('Emulation.setDeviceMetricsOverride', width=width, height=height, deviceScaleFactor=1, mobile=False)

    def picture(self, path: Path, whole: bool = True) -> None:
        """Save what is seen, or the whole page, as PNG."""
        path.write_bytes(base64.b64decode(self('Page.captureScreenshot', captureBeyondViewport=whole)['data']))

    @property
    def complaints(self) -> list[str]:
        """Errors and warnings of the console."""
        methods = ('Runtime.exceptionThrown', 'Log.entryAdded', 'Runtime.consoleAPICalled')
        return [json.dumps(event['params'])[:400] for event in self.events if event.get('method') in methods]

    @property
    def fetched(self) -> list[str]:
        """Addresses that were asked for, those within the page left out."""
        asked = [e['params']['request']['url'] for e in self.events if e.get('method') == 'Network.requestWillBeSent']
        return [address for address in asked if not address.startswith('data:')]

    def close(self) -> None:
        """End the browser."""
        self._session = None
        try:
            self('Browser.close')
        except (AssertionError, OSError):
            self._process.kill()
        self._process.wait(timeout=30)
        os.close(self._in)
        os.close(self._out)
