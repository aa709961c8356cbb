"""Says in one line why BPF cannot run here, if it cannot."""

import ctypes
import os
import struct
from pathlib import Path

_BTF = Path("/sys/kernel/btf/vmlinux")
_SYS_BPF = {"x86_64": 321, "aarch64": 280}
_BPF_MAP_CREATE = 0
_BPF_MAP_TYPE_ARRAY = 2


def _bpf_refusal() -> str | None:
    """Makes an array of one element, as the cheapest thing that needs what capture needs."""
    number = _SYS_BPF.get(os.uname().machine)
    if number is None:
        return None  # the agent will say what is wrong
    attributes = struct.pack("<IIII", _BPF_MAP_TYPE_ARRAY, 4, 8, 1).ljust(128, b"\0")
    libc = ctypes.CDLL(None, use_errno=True)
    buffer = ctypes.create_string_buffer(attributes, len(attributes))
    descriptor = libc.syscall(number, _BPF_MAP_CREATE, buffer, len(attributes))
    if descriptor < 0:
        return os.strerror(ctypes.get_errno())
    os.close(descriptor)
    return None


def why_not() -> str | None:
    """None where capture can run."""
    if os.geteuid() != 0:
        return "capture needs root, and this is not root"
    if not _BTF.exists():
        return f"this kernel gives no type information ({_BTF} is missing)"
    if refusal := _bpf_refusal():
        return f"the kernel refuses bpf(): {refusal} (a locked-down kernel or container)"
    if not os.access("/run/netns", os.W_OK) and not os.access("/run", os.W_OK):
        return "/run is not writable, and network namespaces are kept there"
    return None
