"""A control group of the demo's own, so that its processes are not named after the service or session that started it.

Only needed where the demo itself runs inside a group; made only in the version 2 hierarchy.
"""

from pathlib import Path


def version2_mount(mountinfo: str) -> Path | None:
    """The writable mount point of the version 2 hierarchy in the text of /proc/self/mountinfo."""
    for line in mountinfo.splitlines():
        fields, _, rest = line.partition(" - ")
        if rest.startswith("cgroup2 ") and "rw" in fields.split()[5].split(","):
            return Path(fields.split()[4])
    return None


def own_group(cgroup: str) -> str:
    """The version 2 path in the text of /proc/self/cgroup; "/" if there is none."""
    for line in cgroup.splitlines():
        if line.startswith("0::"):
            return line[3:]
    return "/"


def make(name: str) -> Path | None:
    """Makes /NAME at the top of the hierarchy; None where the demo is in no group or may not make one."""
    if own_group(Path("/proc/self/cgroup").read_text(encoding="utf-8")) == "/":
        return None
    mount = version2_mount(Path("/proc/self/mountinfo").read_text(encoding="utf-8"))
    if mount is None:
        return None
    group = mount / name
    try:
        group.mkdir()
    except OSError:
        return None
    return group


def remove(group: Path) -> None:
    """The group must be empty of processes."""
    try:
        group.rmdir()
    except OSError:
        pass
