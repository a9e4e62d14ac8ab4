"""Chromium without a window, driven through its own debugging pipe: no driver, no package."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import threading
import time
from pathlib import Path
from typing import Any

from cluster_patience import PATIENCE

PROGRAM = next(
    (
        found
        for name in ("chromium", "chromium-browser", "google-chrome", "chrome", "headless_shell")
        if (found := shutil.which(name))
    ),
    None,
)


class Browser:
    """One page of Chromium.

    Commands and events are JSON with a null byte behind each, on the file descriptors 3 and 4, as
    the DevTools protocol has it. What the page logs, raises or fails to load is kept in `faults`.
    """

    def __init__(self, folder: Path) -> None:
        assert PROGRAM is not None
        command_read, self._commands = os.pipe()
        self._messages, message_write = os.pipe()
        flags = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
        flags += ["--no-first-run", "--window-size=1200,900", f"--user-data-dir={folder}"]
        # The shell puts the pipes where Chromium looks for them.
        line = f'exec "$0" "$@" 3<&{command_read} 4>&{message_write}'
        self._log = open(folder.with_suffix(".log"), "wb")
        self._process = subprocess.Popen(
            ["bash", "-c", line, PROGRAM, *flags, "--remote-debugging-pipe", "about:blank"],
            pass_fds=(command_read, message_write),
            stderr=self._log,
            stdout=self._log,
        )
        os.close(command_read)
        os.close(message_write)
        self.faults: list[str] = []
        self._next = 0
        self._answers: dict[int, dict[str, Any]] = {}
        self._changed = threading.Condition()
        self._ended = False
        threading.Thread(target=self._read, daemon=True).start()
        self._session: str | None = None
        # To start takes a second, or a minute where the processors are much in demand.
        self._patience = 10 * PATIENCE
        pages = self._send("Target.getTargets")["targetInfos"]
        page = next(one["targetId"] for one in pages if one["type"] == "page")
        attached = self._send("Target.attachToTarget", targetId=page, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Runtime", "Log", "Network", "Page"):
            self._send(f"{domain}.enable")
        self._patience = 3 * PATIENCE

    def _read(self) -> None:
        held = b""
        while True:
            part = os.read(self._messages, 1 << 16)
            if not part:
                break
            *whole, held = (held + part).split(b"\0")
            for message in whole:
                self._take(json.loads(message))
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def _take(self, message: dict[str, Any]) -> None:
        name, about = message.get("method"), message.get("params", {})
        if "id" in message:
            with self._changed:
                self._answers[message["id"]] = message
                self._changed.notify_all()
        elif name == "Runtime.exceptionThrown":
            self.faults.append(json.dumps(about["exceptionDetails"]))
        elif name == "Runtime.consoleAPICalled" and about["type"] in ("error", "warning"):
            self.faults.append(json.dumps(about["args"]))
        elif name == "Log.entryAdded" and about["entry"]["level"] in ("error", "warning"):
            self.faults.append(json.dumps(about["entry"]))
        elif name == "Network.responseReceived" and about["response"]["status"] >= 400:
            self.faults.append(f"{about['response']['status']} {about['response']['url']}")

    def _send(self, method: str, **parameters: Any) -> dict[str, Any]:
        self._next += 1
        message = {"id": self._next, "method": method, "params": parameters}
        if self._session is not None:
            message["sessionId"] = self._session
        os.write(self._commands, json.dumps(message).encode() + b"\0")
        with self._changed:
            done = self._changed.wait_for(
                lambda: message["id"] in self._answers or self._ended, self._patience
            )
            assert done and not self._ended, f"the browser does not answer {method}"
            answer = self._answers.pop(message["id"])
        assert "error" not in answer, answer
        return answer["result"]

    def open(self, url: str) -> None:
        """Load a page."""
        failed = self._send("Page.navigate", url=url).get("errorText")
        assert not failed, failed

    def run(self, expression: str) -> Any:
        """The value of a JavaScript expression in the page."""
        answer = self._send("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def until(self, expression: str, patience: float = 2 * PATIENCE) -> Any:
        """Wait until an expression is true; its value."""
        deadline = time.monotonic() + patience
        while True:
            value = self.run(expression)
            if value:
                return value
            assert time.monotonic() < deadline, (expression, self.faults, self.text())
            time.sleep(0.05)

    def text(self) -> str:
        """What a reader sees."""
        return self.run("document.body.innerText")

    def close(self) -> None:
        """End the browser."""
        with contextlib.suppress(OSError):
            os.write(self._commands, b'{"id": 0, "method": "Browser.close"}\0')
        try:
            self._process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        os.close(self._commands)
        self._log.close()
