import unittest
from typing import Any

import compare
import edges
from edges import EdgeKey, EdgeTruth

TRUTH = EdgeTruth(edges.SHOP_REDIS, {"redis commandstats": 2000, "shop counter": 2000})


def edge(key: EdgeKey = edges.SHOP_REDIS, **values: Any) -> dict[str, Any]:
    return {"client": key.client, "server": key.server, "protocol": key.protocol,
            "transport": key.transport, "requestCount": 2000} | values


def answer(*shown: dict[str, Any], lost: float = 0) -> dict[str, Any]:
    return {"edges": list(shown), "completeness": {"captured": 2000, "lost": lost, "fraction": 1}}


class CompareTest(unittest.TestCase):
    def faults(self, *shown: dict[str, Any], lost: float = 0,
               truth: EdgeTruth = TRUTH) -> list[str]:
        report = compare.compare([truth], answer(*shown, lost=lost))
        faults = report.faults + report.rows[0].faults
        self.assertEqual(report.passed, not faults)
        return faults

    def test_equal_counts_pass(self) -> None:
        self.assertEqual(self.faults(edge()), [])
        self.assertEqual(self.faults(edge(clientView={"requestCount": 2000},
                                          serverView={"requestCount": 2000, "lost": 0})), [])

    def test_missing_edge(self) -> None:
        self.assertEqual(self.faults(), ["the edge is missing"])

    def test_other_transport_is_another_edge(self) -> None:
        self.assertEqual(self.faults(edge(transport="unix")), ["the edge is missing"])

    def test_off_by_one_with_nothing_lost(self) -> None:
        for count in (1999, 2001):
            self.assertEqual(len(self.faults(edge(requestCount=count))), 1, count)

    def test_stated_loss_within_the_limit(self) -> None:
        self.assertEqual(self.faults(edge(requestCount=1998, lost=2), lost=2), [])

    def test_too_much_loss(self) -> None:
        faults = self.faults(edge(requestCount=1997, lost=3), lost=3)
        self.assertEqual(len(faults), 2)  # of the edge, and of the whole answer

    def test_loss_that_does_not_explain_the_difference(self) -> None:
        self.assertEqual(len(self.faults(edge(requestCount=1900, lost=1), lost=1)), 1)

    def test_each_view_is_held_against_the_truth(self) -> None:
        for name in ("clientView", "serverView"):
            self.assertEqual(len(self.faults(edge(**{name: {"requestCount": 1999}}))), 1, name)

    def test_edge_shown_twice(self) -> None:
        self.assertEqual(self.faults(edge(), edge()), ["the edge is shown 2 times"])

    def test_truth_that_contradicts_itself(self) -> None:
        truth = EdgeTruth(edges.SHOP_REDIS, {"redis commandstats": 2000, "shop counter": 1999})
        self.assertEqual(len(self.faults(edge(), truth=truth)), 1)

    def test_edge_without_load_proves_nothing(self) -> None:
        truth = EdgeTruth(edges.SHOP_REDIS, {"redis commandstats": 0})
        self.assertEqual(len(self.faults(edge(requestCount=0), truth=truth)), 1)

    def test_answer_without_completeness(self) -> None:
        report = compare.compare([TRUTH], {"edges": [edge()]})
        self.assertFalse(report.passed)

    def test_other_edges_are_told_but_no_fault(self) -> None:
        other = edge(EdgeKey("a", "b", "tcp", "tcp"))
        report = compare.compare([TRUTH], answer(edge(), other))
        self.assertTrue(report.passed)
        self.assertEqual(report.others, [other])

    def test_json_form(self) -> None:
        shown = compare.compare([TRUTH], answer(edge(p50Ms=0.5))).to_json()
        self.assertEqual(shown["edges"][0], edge(p50Ms=0.5) | {
            "truth": 2000, "lost": 0, "faults": [],
            "truthSources": {"redis commandstats": 2000, "shop counter": 2000}})
        self.assertEqual(shown["completeness"], {"captured": 2000, "lost": 0, "fraction": 1})

    def test_table_names_what_differs(self) -> None:
        text = compare.format_report(compare.compare([TRUTH], answer(edge(requestCount=1999))))
        self.assertIn("DIFFERS", text)
        self.assertIn("1999 where 2000 were made", text)


if __name__ == "__main__":
    unittest.main()
