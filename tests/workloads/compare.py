"""Compares what Kindling shows with what really happened.

A demo passes when every expected edge is there, every count whose edge has lost nothing is exactly the truth, nowhere
more than LOST_LIMIT is lost, and both observers agree with the truth in the same sense.
"""

from dataclasses import dataclass, field
from typing import Any

from edges import EdgeKey, EdgeTruth

LOST_LIMIT = 0.001


@dataclass
class Row:
    """One expected edge: truth beside answer."""

    truth: EdgeTruth
    edge: dict[str, Any] | None
    faults: list[str] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        key = self.truth.key
        shown = dict(self.edge) if self.edge else {
            "client": key.client, "server": key.server, "protocol": key.protocol,
            "transport": key.transport, "requestCount": 0, "lost": 0}
        shown["requestCount"] = int(shown.get("requestCount", 0))
        shown["lost"] = _number(shown.get("lost", 0))
        return shown | {"truth": self.truth.count, "truthSources": self.truth.sources,
                        "faults": self.faults}


@dataclass
class Report:
    rows: list[Row]
    others: list[dict[str, Any]]
    """Edges that were shown and are not among the expected."""
    completeness: dict[str, Any]
    faults: list[str]
    """Faults of the answer as a whole."""

    @property
    def passed(self) -> bool:
        return not self.faults and not any(row.faults for row in self.rows)

    def to_json(self) -> dict[str, Any]:
        return {"edges": [row.to_json() for row in self.rows], "otherEdges": self.others,
                "completeness": self.completeness, "faults": self.faults, "passed": self.passed}


def _number(value: Any) -> int | float:
    number = float(value)
    return int(number) if number.is_integer() else number


def key_of(edge: dict[str, Any]) -> EdgeKey:
    return EdgeKey(*(str(edge.get(name, "")) for name in ("client", "server", "protocol",
                                                          "transport")))


def _count_faults(what: str, count: float, lost: float, truth: int) -> list[str]:
    faults = []
    if lost == 0 and count != truth:
        faults.append(f"{what} {count:.0f} where {truth} were made and nothing is said to be lost")
    if lost > LOST_LIMIT * truth:
        faults.append(f"{what} has lost {lost:.0f} of {truth}, more than {LOST_LIMIT:.1%}")
    if lost > 0 and abs(truth - count - lost) > max(1.0, LOST_LIMIT * truth):
        faults.append(f"{what} {count:.0f} and lost {lost:.0f} do not add up to {truth}")
    return faults


def _compare_edge(truth: EdgeTruth, edges: list[dict[str, Any]]) -> Row:
    if not truth.sources_agree:
        said = ", ".join(f"{name} {count}" for name, count in truth.sources.items())
        fault = [f"the truth is not known: {said}"]
    else:
        fault = []
    if not edges:
        return Row(truth, None, [*fault, "the edge is missing"])
    edge = edges[0]
    row = Row(truth, edge, fault)
    if len(edges) > 1:
        row.faults.append(f"the edge is shown {len(edges)} times")
    if truth.count == 0:
        row.faults.append("the load made no request here")
    row.faults += _count_faults("counted", float(edge.get("requestCount", 0)),
                                float(edge.get("lost", 0)), truth.count)
    for name, view in (("client's view", edge.get("clientView")),
                       ("server's view", edge.get("serverView"))):
        if view:
            row.faults += _count_faults(name, float(view.get("requestCount", 0)),
                                        float(view.get("lost", 0)), truth.count)
    return row


def compare(truths: list[EdgeTruth], answer: dict[str, Any]) -> Report:
    """`answer` is what `kindlingctl get edges -o json` printed."""
    by_key: dict[EdgeKey, list[dict[str, Any]]] = {}
    for edge in answer.get("edges", []):
        by_key.setdefault(key_of(edge), []).append(edge)
    rows = [_compare_edge(truth, by_key.pop(truth.key, [])) for truth in truths]
    completeness = {name: _number(answer.get("completeness", {}).get(name, 0))
                    for name in ("captured", "lost", "fraction")}
    for name, value in answer.get("completeness", {}).items():
        completeness.setdefault(name, value)
    faults = []
    if "completeness" not in answer:
        faults.append("the answer does not say how complete it is")
    elif float(completeness["lost"]) > LOST_LIMIT * max(1, sum(t.count for t in truths)):
        faults.append(f"completeness says {completeness['lost']} requests were lost")
    others = [edge for edges in by_key.values() for edge in edges]
    return Report(rows, others, completeness, faults)


def format_report(report: Report) -> str:
    """A table for people; every fault on a line of its own below its edge."""
    header = ("client", "server", "protocol", "counted", "truth", "lost", "")
    cells = [header]
    for row in report.rows:
        key, edge = row.truth.key, row.to_json()
        cells.append((key.client, key.server, f"{key.protocol}/{key.transport}",
                      str(edge["requestCount"]) if row.edge else "-", str(row.truth.count),
                      str(edge["lost"]) if row.edge else "-", "DIFFERS" if row.faults else "ok"))
    widths = [max(len(line[i]) for line in cells) for i in range(len(header))]
    lines = []
    for line, faults in zip(cells, [[], *(row.faults for row in report.rows)], strict=True):
        lines.append("  ".join(
            text.rjust(width) if 3 <= i <= 5 else text.ljust(width)
            for i, (text, width) in enumerate(zip(line, widths, strict=True))).rstrip())
        lines += [f"    {fault}" for fault in faults]
    for edge in report.others:
        lines.append(f"also shown: {key_of(edge)}, {edge.get('requestCount', 0)} requests")
    lines.append(f"completeness {float(report.completeness['fraction']):.6f}: "
                 f"captured {report.completeness['captured']}, lost {report.completeness['lost']}")
    lines += [f"fault: {fault}" for fault in report.faults]
    return "\n".join(lines)
