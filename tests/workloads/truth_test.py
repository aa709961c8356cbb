import tempfile
import unittest
from pathlib import Path

import truth

GENERAL_LOG = """\
mariadbd, Version: 10.11 (Debian 12). started with:
Tcp port: 3306  Unix socket: /tmp/x/mariadb.sock
Time\t\t    Id Command\tArgument
261122  9:53:57\t     3 Connect\troot@localhost on  using Socket
\t\t     3 Query\tCREATE USER shop@localhost
\t\t     4 Connect\tshop@localhost on demo using Socket
\t\t     7 Connect\tshop@127.0.0.1 on demo using TCP/IP
\t\t     7 Query\tSELECT 'before'
""".splitlines()


class AccessLogTest(unittest.TestCase):
    def test_counts_requests_and_tries_of_upstreams(self) -> None:
        counts = truth.count_access_log([
            '{"status":200,"method":"GET","uri":"/","upstream":""}',
            '{"status":200,"method":"GET","uri":"/a","upstream":"10.77.0.2:8080"}',
            '{"status":502,"method":"GET","uri":"/b","upstream":"10.77.0.2:8080, 10.77.0.3:8080"}',
            '{"status":502,"method":"GET","uri":"/c","upstream":"10.77.0.2:8080 : 10.77.0.3:8080"}',
        ])
        self.assertEqual(counts.requests, 4)
        self.assertEqual(counts.forwarded, 5)
        self.assertEqual(counts.by_status, {"200": 2, "502": 2})

    def test_refuses_a_damaged_line(self) -> None:
        for line in ('{"status":200', "[]", '{"status":200}'):
            with self.assertRaises(truth.TruthError, msg=line):
                truth.count_access_log([line])


class GeneralLogTest(unittest.TestCase):
    def count(self, *after: str, user: str = "shop") -> dict[str, int]:
        return truth.count_general_log(GENERAL_LOG, after, user)

    def test_older_connections_keep_their_transport(self) -> None:
        counts = self.count("\t\t     4 Query\tSELECT 1", "\t\t     7 Query\tBEGIN",
                            "261122 10:00:00\t     7 Query\tCOMMIT")
        self.assertEqual(counts, {"unix": 1, "tcp": 2})

    def test_what_came_before_is_not_counted(self) -> None:
        self.assertEqual(self.count(), {})

    def test_only_answered_commands_count(self) -> None:
        counts = self.count(
            "\t\t     4 Prepare\tSELECT ?", "\t\t     4 Execute\tSELECT 1",
            "\t\t     4 Close stmt\t", "\t\t     4 Init DB\tdemo", "\t\t     4 Quit\t")
        self.assertEqual(counts, {"unix": 3})

    def test_new_connections_and_other_users(self) -> None:
        counts = self.count(
            "\t\t     9 Connect\tshop@127.0.0.1 on demo using TCP/IP", "\t\t     9 Query\tSELECT 1",
            "\t\t     3 Query\tSHOW GLOBAL STATUS",
            "\t\t     4 Connect\troot@localhost on demo using Socket", "\t\t     4 Query\tSELECT 2")
        self.assertEqual(counts, {"tcp": 1})

    def test_rest_of_a_statement_of_several_lines(self) -> None:
        counts = self.count("\t\t     4 Query\tSELECT", " 1,", "  2 Query", "FROM t")
        self.assertEqual(counts, {"unix": 1})

    def test_unknown_transport(self) -> None:
        with self.assertRaises(truth.TruthError):
            self.count("\t\t     9 Connect\tshop@x on demo using Named Pipe")


class RedisTest(unittest.TestCase):
    BEFORE = ("# Commandstats\r\n"
              "cmdstat_get:calls=5,usec=9,usec_per_call=1.80,rejected_calls=0,failed_calls=0\r\n")
    AFTER = ("# Commandstats\r\n"
             "cmdstat_get:calls=8,usec=9,usec_per_call=1.80,rejected_calls=2,failed_calls=1\r\n"
             "cmdstat_config|get:calls=1,usec=9,usec_per_call=1.80,rejected_calls=0,failed_calls=0\r\n"
             "cmdstat_info:calls=4,usec=9,usec_per_call=1.80,rejected_calls=0,failed_calls=0\r\n")

    def test_difference_without_the_looks_themselves(self) -> None:
        before, after = truth.parse_commandstats(self.BEFORE), truth.parse_commandstats(self.AFTER)
        self.assertEqual(before, {"get": 5})
        self.assertEqual(after, {"get": 10, "config|get": 1, "info": 4})
        self.assertEqual(truth.redis_requests(before, after), 6)

    def test_older_servers_have_no_rejected_calls(self) -> None:
        self.assertEqual(truth.parse_commandstats("cmdstat_set:calls=3,usec=1,usec_per_call=0.3"),
                         {"set": 3})


class DnsTest(unittest.TestCase):
    def test_counts_queries_not_answers(self) -> None:
        counts = truth.count_dns_queries([
            "Nov 22 09:54:03 dnsmasq[1]: query[A] payment.demo.test from 127.0.0.1",
            "Nov 22 09:54:03 dnsmasq[1]: config payment.demo.test is 10.77.0.20",
            "Nov 22 09:54:03 dnsmasq[1]: 5 127.0.0.1/4242 query[AAAA] payment.demo.test from 127.0.0.1",
            "Nov 22 09:54:03 dnsmasq[1]: query[SRV] _a._tcp.demo.test from 127.0.0.1",
            "Nov 22 09:54:03 dnsmasq[1]: exiting on receipt of SIGTERM"])
        self.assertEqual(counts, {"A": 1, "AAAA": 1, "SRV": 1})


class LogMarkTest(unittest.TestCase):
    def test_splits_a_growing_file(self) -> None:
        with tempfile.TemporaryDirectory() as directory:
            file = Path(directory) / "log"
            self.assertEqual(truth.LogMark.at_end(file).lines_after(), [])
            file.write_text("one\n")
            mark = truth.LogMark.at_end(file)
            with file.open("a") as log:
                log.write("two\nthree\n")
            self.assertEqual(mark.lines_before(), ["one"])
            self.assertEqual(mark.lines_after(), ["two", "three"])


if __name__ == "__main__":
    unittest.main()
