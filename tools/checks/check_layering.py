"""Checks which folder includes which.

check_layering.py ROOT prints one line per fault and exits 1 if there is any. Bazel's visibility says the same about
targets; this looks at the #include lines themselves, which a forgotten dependency does not hide.
"""

import re
import sys

import tree

# folder -> folders it may include from, itself apart. tests/ may use everything and nobody uses tests/.
MAY_USE = {
    "base": set(),
    "api": set(),
    "bpf": set(),
    "model": {"base"},
    "storage": {"base", "model"},
    "agent": {"base", "model", "api", "bpf"},
    "controller": {"base", "model", "api", "storage", "k8s"},
    "ui": {"base", "model", "api"},
    "k8s": {"base", "model", "api"},
    "tools": {"base"},
}

# Inside the agent data flows one way. A folder may include from those with a lower number, and from the next stage the
# seam through which it hands on; two folders never include from each other. Folders that are not listed, and agent/
# itself, compose the rest and may include all of it.
AGENT_STAGE = {
    "kernel": 0,
    "capture": 1,
    "protocols": 2,
    "threads": 3,
    "traces": 3,
    "network": 3,
    "identity": 3,
    "aggregate": 4,
    "export": 5,
}

# A parser knows bytes and nothing else.
PARSERS = "agent/protocols/"

# A plain layout on RocksDB that the store is compared with.
ROW_STORE = "tests/load/store/row_store.cc"

# What bpf/ may include in angle brackets: the kernel's own headers and libbpf's, and GoogleTest in tests.
_BPF_SYSTEM = re.compile(r"(linux|asm|asm-generic|bpf)/|std(def|int|bool)\.h$")
_FLAGS = re.compile(r"\b(DEFINE|DECLARE)_(bool|int32|int64|uint32|uint64|double|string)\s*\(|\bABSL_(DECLARE_)?FLAG\s*\(|\bFLAGS_[a-z]")
_INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', re.MULTILINE)
_COMMENT = re.compile(r"//[^\n]*|/\*.*?\*/", re.DOTALL)


def _owner(include):
    """The project folder that a quoted include belongs to, or None."""
    if include.startswith("kindling/"):  # api/ is the import root of generated code
        return "api"
    top = include.split("/", 1)[0]
    return top if top in MAY_USE or top == "tests" else None


def _agent_fault(path, include):
    source, target = path.split("/"), include.split("/")
    if len(source) < 3 or len(target) < 3 or source[1] == target[1]:
        return None
    here, there = AGENT_STAGE.get(source[1]), AGENT_STAGE.get(target[1])
    if here is None:
        return None
    if path.startswith(PARSERS):
        return "a parser knows bytes only, not agent/%s" % target[1]
    if there is None:
        return "agent/%s may not include from agent/%s, which composes" % (source[1], target[1])
    if there == here or there > here + 1:
        return "agent/%s may not include from agent/%s, only from earlier stages and the next" % (source[1], target[1])
    return None


def faults_in(path, text):
    """The faults of one file, each `path:line: what`."""
    faults = []
    folder = path.split("/", 1)[0]
    is_test = re.search(r"_(test|fuzz|benchmark)\.cc$", path) or "/testing/" in path

    def fault(offset, what):
        faults.append("%s:%d: %s" % (path, text.count("\n", 0, offset) + 1, what))

    for match in _INCLUDE.finditer(text):
        # The pattern may begin on an earlier, empty line.
        at = match.start(1)
        quoted, include = match.group(1) == '"', match.group(2)
        if include.startswith("rocksdb/") and folder != "storage" and path != ROW_STORE:
            fault(at, "only storage/ includes RocksDB")
        if re.match(r"gflags/|absl/flags/", include) and not path.endswith("main.cc"):
            fault(at, "flags belong in main.cc")
        if include.startswith("../") or "/../" in include:
            fault(at, "include from the root of the tree, not by a relative path")
        if folder == "bpf" and not quoted and not is_test and not _BPF_SYSTEM.match(include):
            fault(at, "bpf/ includes kernel headers, libbpf's and its own, not <%s>" % include)
        if folder not in MAY_USE:
            continue
        owner = _owner(include)
        if owner is None:
            if quoted and folder == "bpf" and not include.endswith(".skel.h"):
                fault(at, "bpf/ includes nothing from outside: %s" % include)
            continue
        if owner == folder:
            if folder == "agent":
                what = _agent_fault(path, include)
                if what and not is_test:
                    fault(at, what)
            continue
        if owner not in MAY_USE[folder] and not (folder == "bpf" and is_test and owner == "base"):
            fault(at, "%s/ may not include from %s/" % (folder, owner))
    if not path.endswith("main.cc"):
        code = _COMMENT.sub(lambda m: re.sub(r"[^\n]", " ", m.group()), text)
        for match in _FLAGS.finditer(code):
            # glog's own flags may be set where logging is set up in tests.
            fault(match.start(), "flags belong in main.cc")
    return faults


def _agent_edges(path, text):
    """(from, to) for each include between two folders of the agent."""
    source = path.split("/")
    if source[0] != "agent" or len(source) < 3 or re.search(r"_(test|fuzz|benchmark)\.cc$", path):
        return
    for match in _INCLUDE.finditer(text):
        target = match.group(2).split("/")
        if target[0] == "agent" and len(target) > 2 and target[1] != source[1]:
            yield source[1], target[1]


def check(root):
    faults = []
    edges = {}
    for path in tree.files(root):
        if re.search(r"\.(cc|h|c)$", path):
            text = tree.read(root, path)
            faults += faults_in(path, text)
            for edge in _agent_edges(path, text):
                edges.setdefault(edge, path)
    for (source, target), path in sorted(edges.items()):
        if source < target and (target, source) in edges:
            faults.append("agent/%s and agent/%s include from each other: %s, %s" %
                          (source, target, path, edges[(target, source)]))
    return faults


if __name__ == "__main__":
    FAULTS = check(sys.argv[1])
    print("\n".join(FAULTS), end="\n" if FAULTS else "")
    sys.exit(1 if FAULTS else 0)
