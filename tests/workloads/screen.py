"""Draws the service map as a tree on a terminal."""

from typing import Any

CLEAR = "\x1b[H\x1b[2J"
RECORDING_BANNER = "RECORDING: a recorded run of the demo, replayed; nothing on this machine is being watched"


def _milliseconds(value: Any) -> str:
    number = float(value)
    return f"{number:.0f} ms" if number >= 10 else f"{number:.2g} ms"


def _label(edge: dict[str, Any], seconds: float) -> str:
    count = int(edge.get("requestCount", 0))
    protocol = str(edge.get("protocol", "?"))
    transport = str(edge.get("transport", ""))
    parts = [protocol if transport in ("", "tcp") or protocol == transport
             else f"{protocol} over {transport}", f"{count} requests"]
    if seconds >= 5:  # before that a rate says nothing
        parts.append(f"{count / seconds:.1f}/s")
    if errors := int(edge.get("errorCount", 0)):
        parts.append(f"{errors} errors")
    parts.append(f"p50 {_milliseconds(edge.get('p50Ms', 0))}")
    parts.append(f"p99 {_milliseconds(edge.get('p99Ms', 0))}")
    if lost := float(edge.get("lost", 0)):
        parts.append(f"lost {lost:.0f}")
    return ", ".join(parts)


def draw_map(answer: dict[str, Any], seconds: float = 0.0) -> str:
    """A service appears with its callees once; where it is called again only its name stands."""
    callees: dict[str, list[dict[str, Any]]] = {}
    for edge in answer.get("edges", []):
        callees.setdefault(str(edge.get("client", "?")), []).append(edge)
    called = {str(edge.get("server", "?")) for edge in answer.get("edges", [])}
    roots = sorted(client for client in callees if client not in called) or sorted(callees)[:1]

    lines: list[str] = []
    expanded: set[str] = set()

    def walk(name: str, indent: str) -> None:
        if name in expanded:
            return
        expanded.add(name)
        below = sorted(callees.get(name, []), key=lambda e: (str(e.get("server")),
                                                             str(e.get("transport"))))
        for i, edge in enumerate(below):
            last = i == len(below) - 1
            server = str(edge.get("server", "?"))
            lines.append(f"{indent}{'└─' if last else '├─'} {server}   {_label(edge, seconds)}")
            walk(server, indent + ("   " if last else "│  "))

    for root in roots + sorted(set(callees) - set(roots)):
        if root not in expanded:
            lines.append(root)
            walk(root, "")
    if not lines:
        lines.append("(no request seen yet)")
    completeness = answer.get("completeness", {})
    lines.append("")
    lines.append(f"captured {float(completeness.get('captured', 0)):.0f} requests, "
                 f"lost {float(completeness.get('lost', 0)):.0f}, "
                 f"completeness {float(completeness.get('fraction', 0)):.4%}")
    return "\n".join(lines)
