"""Checks that every source file is in a BUILD target of its own folder, so that no code and no test is left out.

check_orphans.py ROOT prints one line per fault and exits 1 if there is any.
"""

import posixpath
import re
import sys

import tree

_SOURCE = re.compile(r"(\.(cc|h|c|proto)|_test\.(py|sh))$")
_BUILD = ("BUILD.bazel", "BUILD")


def check(root):
    paths = list(tree.files(root))
    builds = {}
    for path in paths:
        if posixpath.basename(path) in _BUILD:
            text = re.sub(r"#.*", "", tree.read(root, path))
            builds[posixpath.dirname(path)] = set(re.findall(r'"([^"\n]*)"', text))
    faults = []
    for path in paths:
        if not _SOURCE.search(path):
            continue
        folder = posixpath.dirname(path)
        package = folder
        while package and package not in builds:
            package = posixpath.dirname(package)
        if package not in builds:
            faults.append("%s: no BUILD.bazel above it" % path)
            continue
        name = posixpath.relpath(path, package or ".")
        if name not in builds[package] and ":" + name not in builds[package]:
            faults.append("%s: in no target of %s" % (path, posixpath.join(package, "BUILD.bazel")))
    return faults


if __name__ == "__main__":
    FAULTS = check(sys.argv[1])
    print("\n".join(FAULTS), end="\n" if FAULTS else "")
    sys.exit(1 if FAULTS else 0)
