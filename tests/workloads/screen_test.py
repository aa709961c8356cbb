import unittest
from typing import Any

import screen


def edge(client: str, server: str, **values: Any) -> dict[str, Any]:
    return {"client": client, "server": server, "protocol": "http", "transport": "tcp",
            "requestCount": 10, "p50Ms": 1.5, "p99Ms": 20} | values


class DrawMapTest(unittest.TestCase):
    def test_tree_from_the_client_down(self) -> None:
        text = screen.draw_map({"edges": [edge("b", "c", protocol="mysql", transport="unix"),
                                          edge("a", "b", errorCount=2)],
                                "completeness": {"captured": 20, "fraction": 1}}, 10)
        self.assertEqual(text.splitlines()[:3], [
            "a",
            "└─ b   http, 10 requests, 1.0/s, 2 errors, p50 1.5 ms, p99 20 ms",
            "   └─ c   mysql over unix, 10 requests, 1.0/s, p50 1.5 ms, p99 20 ms"])
        self.assertIn("captured 20 requests, lost 0, completeness 100.0000%", text)

    def test_cycles_end(self) -> None:
        text = screen.draw_map({"edges": [edge("a", "b"), edge("b", "a")]})
        self.assertEqual(text.count("http"), 2)

    def test_every_edge_is_drawn_once(self) -> None:
        text = screen.draw_map({"edges": [edge("a", "x"), edge("b", "x"), edge("x", "y"),
                                          edge("p", "q"), edge("q", "p")]})
        self.assertEqual(text.count("http"), 5)

    def test_nothing_seen(self) -> None:
        self.assertIn("no request", screen.draw_map({"edges": []}))


if __name__ == "__main__":
    unittest.main()
