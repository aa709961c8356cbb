"""Counts what a program of the demo sent or answered, and writes the counts down when it is told to.

Threads: add() may be called from any thread; write() from one at a time.
"""

import json
import os
import threading
from collections import Counter
from pathlib import Path


class Counters:
    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()

    def add(self, name: str, amount: int = 1) -> None:
        with self._lock:
            self._counts[name] += amount

    def read(self) -> dict[str, int]:
        with self._lock:
            return dict(self._counts)

    def write(self) -> None:
        """Replaces the file in one step, so that a reader never sees half of it."""
        if self._path is None:
            return
        temporary = self._path.with_suffix(".new")
        temporary.write_text(json.dumps(self.read(), sort_keys=True), encoding="utf-8")
        os.replace(temporary, self._path)
