"""Walks the files of the tree that people wrote."""

import os

_SKIPPED = {".git", "node_modules", "dist", "__pycache__", ".cache"}


def files(root):
    """Yields the path of every file below root, relative and with slashes, without build output."""
    for folder, names, file_names in os.walk(root):
        names[:] = sorted(n for n in names if n not in _SKIPPED and not n.startswith("bazel-"))
        for name in sorted(file_names):
            yield os.path.relpath(os.path.join(folder, name), root).replace(os.sep, "/")


def read(root, path):
    with open(os.path.join(root, path), encoding="utf-8", errors="replace") as file:
        return file.read()
