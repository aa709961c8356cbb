"""`kindlingctl capture packets` between two hosts made for it: packet by packet against tcpdump, opened by tshark, and what
it says of filters that do not compile, a full disk, an agent that goes away, two captures at once.

Needs root and BPF; fails without them.
"""

import signal
import subprocess
import sys
import time
import unittest
from pathlib import Path

import pcap_file
import topology
from kindling import Kindling, Programs, free_port
from procs import Child
from rig import TwoHostsTest

HERE = Path(__file__).resolve().parent
ECHO, SINK, OTHER = 8001, 8002, 8003
SHORT, BLOCKS = 100, 40
# From its start until a capture surely captures, and from traffic until a capture has it.
SETTLE_S = 1.5
OK, ERROR, USAGE, PARTIAL = 0, 1, 2, 3


def by_flow(packets: list[pcap_file.Packet]) -> dict[bytes, list[tuple[bytes, int]]]:
    """Packets in their order, by addresses and ports: two that passed at once, on two processors, may stand either way in
    the rings of two sockets."""
    flows: dict[bytes, list[tuple[bytes, int]]] = {}
    for packet in packets:
        flows.setdefault(packet.data[26:38], []).append((packet.data, packet.original))
    return flows


class PacketsTest(TwoHostsTest):
    maxDiff = 2000

    def setUp(self) -> None:
        super().setUp()
        self.kindling = Kindling(Programs.of_test(), self.supervisor, self.directory)
        self.kindling.address = f"127.0.0.1:{free_port()}"
        self.kindling.start_controller()
        self.kindling.start_agents({"host-a": [self.a.namespace_path],
                                    "host-b": [self.b.namespace_path]})
        for port, behaviour in ((ECHO, "echo"), (SINK, "sink"), (OTHER, "echo")):
            self.peer(port, behaviour)
        # An agent may be ready a moment before it waits for tasks.
        deadline = time.monotonic() + 20
        while self.spawn(Path("/dev/null"), "--node", "host-a", "--node", "host-b", "--for",
                         "100ms").wait(20) != OK:
            self.assertLess(time.monotonic(), deadline, "the agents do not wait for tasks")

    # The pieces that it is made of.

    def peer(self, port: int, behaviour: str) -> None:
        child = self.supervisor.spawn(
            f"peer-{port}",
            [sys.executable, str(HERE / "tcp_peer.py"), self.b.address, str(port), behaviour],
            namespace=self.b.namespace)
        self.supervisor.wait_for_line(child, "ready")

    def client(self, port: int, behaviour: str, count: int) -> None:
        self.supervisor.run(f"client-{port}-{behaviour}-{time.monotonic_ns()}",
                            [sys.executable, str(HERE / "tcp_client.py"), self.b.address, str(port),
                             behaviour, str(count)], namespace=self.a.namespace)

    def start(self, file: Path, *options: str) -> subprocess.Popen[str]:
        """A capture that goes on; it captures by when this returns."""
        running = self.spawn(file, *options)
        deadline = time.monotonic() + 10
        while not file.exists() and running.poll() is None:
            self.assertLess(time.monotonic(), deadline, "the capture did not begin")
            time.sleep(0.02)
        time.sleep(SETTLE_S)
        return running

    def spawn(self, file: Path, *options: str) -> subprocess.Popen[str]:
        running = subprocess.Popen(
            [str(self.kindling.programs.ctl), "--controller", self.kindling.address, "capture",
             "packets", "-w", str(file), *options],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.addCleanup(running.communicate)
        self.addCleanup(running.kill)
        return running

    def finish(self, running: subprocess.Popen[str], status: int = OK) -> tuple[str, str]:
        """What it says, on standard output and standard error."""
        out, err = running.communicate(timeout=30)
        self.assertEqual(running.returncode, status, out + err)
        return out, err

    def stop(self, running: subprocess.Popen[str], status: int = OK) -> tuple[str, str]:
        time.sleep(SETTLE_S)
        running.send_signal(signal.SIGINT)
        return self.finish(running, status)

    def tcpdump(self, host: topology.Host, name: str, expression: str, *options: str) -> Child:
        child = self.supervisor.spawn(
            f"tcpdump-{name}",
            ["tcpdump", "-i", "eth0", "-p", "-n", "-B", "65536", "--time-stamp-precision=nano",
             "-Z", "root", *options, "-w", str(self.directory / f"{name}.pcap"), expression],
            namespace=host.namespace)
        self.supervisor.wait_for_line(child, "listening on")
        return child

    def opened_by_tshark(self, file: Path) -> int:
        """How many packets it finds; it must not complain."""
        done = subprocess.run(["tshark", "-n", "-r", str(file), "-T", "fields", "-e",
                               "frame.number"], capture_output=True, text=True, check=False)
        complaints = [line for line in done.stderr.splitlines() if "as user \"root\"" not in line]
        self.assertEqual((done.returncode, complaints), (0, []))
        order = subprocess.run(["capinfos", "-M", "-o", str(file)], capture_output=True, text=True,
                               check=True).stdout
        self.assertIn("Strict time order:   True", order)
        return len(done.stdout.splitlines())

    def same(self, captured: list[pcap_file.Packet], name: str) -> None:
        """Packet by packet what tcpdump saw of the same interface at the same time."""
        expected = pcap_file.read_pcap(self.directory / f"{name}.pcap")
        self.assertGreater(len(expected), 0)
        self.assertEqual(len(captured), len(expected))
        self.assertEqual(by_flow(captured), by_flow(expected))

    # What has to hold.

    def test_packet_by_packet_as_tcpdump(self) -> None:
        for snap, options, dump in ((0, (), ()), (64, ("--snap", "64B"), ("-s", "64"))):
            with self.subTest(snap=snap):
                expression = f"tcp port {ECHO} or tcp port {SINK}"
                file = self.directory / f"both-{snap}.pcapng"
                running = self.start(file, "-f", expression, "--max", "1GB", *options)
                dumps = [self.tcpdump(host, f"{name}-{snap}", expression, *dump)
                         for host, name in ((self.a, "a"), (self.b, "b"))]
                self.client(ECHO, "short", SHORT)
                self.client(SINK, "bulk", BLOCKS)
                self.client(OTHER, "short", SHORT)
                out, _ = self.stop(running)
                self.supervisor.stop(dumps)
                capture = pcap_file.read_pcapng(file)
                self.same(capture.of("host-a", "eth0"), f"a-{snap}")
                self.same(capture.of("host-b", "eth0"), f"b-{snap}")
                self.assertEqual(self.opened_by_tshark(file), len(capture.packets))
                times = [packet.time_ns for packet in capture.packets]
                self.assertEqual(times, sorted(times))
                self.check_told(capture, out)

    def check_told(self, capture: pcap_file.Capture, out: str) -> None:
        """Interfaces, directions, owners and counts."""
        self.assertEqual({(i.name, i.description.split(",")[0], i.link_type)
                          for i in capture.interfaces},
                         {("eth0", "host-a", 1), ("eth0", "host-b", 1)})
        for interface in capture.interfaces:
            self.assertEqual(interface.statistics[pcap_file.OS_DROPPED], 0)
            self.assertEqual(interface.statistics[pcap_file.DELIVERED],
                             len(capture.of(interface.description.split(",")[0])))
            self.assertIn(f"tcp port {ECHO}", interface.filter)
        source, destination = (bytes(map(int, host.address.split("."))) for host in (self.a, self.b))
        owned = 0
        for packet in capture.packets:
            from_a = packet.data[26:30] == source
            self.assertEqual(packet.data[30:34], destination if from_a else source)
            at_a = packet.interface is not None and packet.interface.description.startswith("host-a")
            self.assertEqual(packet.direction,
                             pcap_file.OUTBOUND if from_a == at_a else pcap_file.INBOUND)
            owned += len(packet.comments)
            for comment in packet.comments:
                role = "sender" if from_a == at_a else "receiver"
                program = "tcp_client" if at_a else "tcp_peer"
                self.assertRegex(comment, rf"^{role}: process {program} pid \d+ workload {program}")
        # A connection may be over before its process is known; nearly all are known.
        self.assertGreater(owned, 0.95 * len(capture.packets))
        self.assertIn(f"{len(capture.packets)} packets in ", out)

    def test_devices_without_a_link_layer_and_vlan_tags(self) -> None:
        datagram = (bytes.fromhex("4500002200010000401100000a0900010a090002") +
                    bytes.fromhex("1f90270f000e0000") + b"packet")
        tagged = bytes.fromhex("ffffffffffff020000000001" "81000005" "0800") + datagram
        file = self.directory / "devices.pcapng"
        running = self.start(file, "-f", "udp port 9999", "--node", "host-a")
        for mode, packet in (("tun", datagram), ("tap", tagged)):
            self.supervisor.run(mode, [sys.executable, str(HERE / "tun_sender.py"), mode, f"{mode}7",
                                       packet.hex(), "3"], namespace=self.a.namespace)
        self.stop(running)
        capture = pcap_file.read_pcapng(file)
        for name, link_type, packet in (("tun7", 101, datagram), ("tap7", 1, tagged)):
            found = [p for p in capture.packets if p.interface and p.interface.name == name]
            self.assertEqual([(p.data, p.original, p.direction) for p in found],
                             3 * [(packet, len(packet), pcap_file.INBOUND)])
            self.assertEqual({p.interface.link_type for p in found if p.interface}, {link_type})
        self.assertEqual(self.opened_by_tshark(file), 6)

    def test_service_and_edge(self) -> None:
        for port in (ECHO, OTHER):
            self.client(port, "short", 10)
        deadline = time.monotonic() + 20
        while True:  # until the controller knows them
            servers = {edge["server"] for edge in self.kindling.get("edges")["edges"]}
            if {f"tcp_peer:{ECHO}", f"tcp_peer:{OTHER}"} <= servers:
                break
            self.assertLess(time.monotonic(), deadline, servers)
            time.sleep(0.2)
        edge, service = self.directory / "edge.pcapng", self.directory / "service.pcapng"
        both = [self.start(edge, "--edge", f"tcp_client,tcp_peer:{ECHO}", "-f", "tcp[13] & 2 != 0"),
                self.start(service, "--service", f"tcp_peer:{OTHER}", "--node", "host-b")]
        for port in (ECHO, OTHER):
            self.client(port, "short", 10)
        time.sleep(SETTLE_S)
        for running in both:
            self.stop(running)
        of_edge, of_service = pcap_file.read_pcapng(edge), pcap_file.read_pcapng(service)
        # A SYN and a SYN-ACK of each connection, on both hosts.
        self.assertEqual(len(of_edge.of("host-a")), 2 * 10)
        self.assertEqual(len(of_edge.of("host-b")), 2 * 10)
        self.assertEqual(of_service.of("host-a"), [])
        self.assertGreaterEqual(len(of_service.packets), 10 * 8)
        ports = {frozenset((int.from_bytes(packet.data[34:36]), int.from_bytes(packet.data[36:38])))
                 for packet in of_service.packets}
        self.assertTrue(all(OTHER in pair for pair in ports))
        out, err = self.finish(self.spawn(self.directory / "no", "--service", "tcp_pear:8001"), ERROR)
        self.assertIn('did you mean "tcp_peer:8001"?', err)
        self.assertFalse((self.directory / "no").exists())

    def test_filters_that_do_not_compile(self) -> None:
        for expression, words in (("tcp prot 80", "syntax error"), ("port 99999999", "illegal port"),
                                  ("ip and ip6", "expression rejects all packets")):
            file = self.directory / "none.pcapng"
            _, err = self.finish(self.spawn(file, "-f", expression), USAGE)
            self.assertIn(words, err)
            self.assertFalse(file.exists())
        _, err = self.finish(self.spawn(file, "--node", "host-c"), ERROR)
        self.assertIn('no agent of the name "host-c"', err)

    def test_caps(self) -> None:
        file = self.directory / "few.pcapng"
        running = self.start(file, "--packets", "7", "-f", f"tcp port {ECHO}", "--node", "host-a")
        self.client(ECHO, "short", 10)
        out, _ = self.finish(running)
        self.assertIn("--packets", out)
        self.assertEqual(len(pcap_file.read_pcapng(file).packets), 7)
        running = self.start(file, "--max", "200KB")
        self.client(SINK, "bulk", BLOCKS)
        out, _ = self.finish(running)
        self.assertIn("--max", out)
        self.assertLessEqual(file.stat().st_size, 200_000)
        self.assertGreater(self.opened_by_tshark(file), 0)
        running = self.start(file, "--rate", "10KB", "--node", "host-b")
        self.client(SINK, "bulk", BLOCKS)
        self.stop(running)
        data = sum(len(packet.data) for packet in pcap_file.read_pcapng(file).packets)
        self.assertLess(data, 100_000)

    def test_two_captures_at_once(self) -> None:
        files = [self.directory / f"{number}.pcapng" for number in (1, 2)]
        running = [self.start(file, "-f", f"tcp port {ECHO}") for file in files]
        self.client(ECHO, "short", SHORT)
        time.sleep(SETTLE_S)
        for capture in running:
            self.stop(capture)
        first, second = (pcap_file.read_pcapng(file) for file in files)
        self.assertGreater(len(first.packets), SHORT * 8)
        for host in ("host-a", "host-b"):
            self.assertEqual(by_flow(first.of(host)), by_flow(second.of(host)))

    def test_a_full_disk(self) -> None:
        mount = self.directory / "small"
        mount.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", str(mount)], check=True)
        self.addCleanup(subprocess.run, ["umount", str(mount)], check=True)
        file = mount / "out.pcapng"
        running = self.start(file, "-f", f"tcp port {SINK}")
        self.client(SINK, "bulk", BLOCKS)
        out, err = self.finish(running, PARTIAL)
        self.assertIn("No space left on device", err)
        self.assertIn("partial", out)
        capture = pcap_file.read_pcapng(file)  # whole blocks
        self.assertGreater(len(capture.packets), 0)
        self.assertEqual(self.opened_by_tshark(file), len(capture.packets))

    def test_an_agent_that_goes_away(self) -> None:
        file = self.directory / "half.pcapng"
        running = self.start(file, "-f", f"tcp port {ECHO}")
        self.client(ECHO, "short", 10)
        time.sleep(SETTLE_S)
        self.kindling.kill_agent("host-b")
        self.client(ECHO, "short", 10)
        out, _ = self.stop(running, PARTIAL)
        self.assertRegex(out, r"host-b .*the agent went away")
        capture = pcap_file.read_pcapng(file)
        self.assertGreaterEqual(len(capture.of("host-b")), 10 * 8)
        self.assertGreaterEqual(len(capture.of("host-a")), 2 * len(capture.of("host-b")) * 0.9)
        interface = next(i for i in capture.interfaces if i.description.startswith("host-b"))
        self.assertTrue(any(comment.startswith("partial: ") for comment in interface.comments))
        self.assertEqual(self.opened_by_tshark(file), len(capture.packets))

    def test_to_a_pipe(self) -> None:
        ctl = subprocess.Popen(
            [str(self.kindling.programs.ctl), "--controller", self.kindling.address, "capture",
             "packets", "-w", "-", "--for", "4s", "-f", f"tcp port {ECHO}"],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.addCleanup(ctl.kill)
        shark = subprocess.Popen(["tshark", "-n", "-l", "-r", "-", "-T", "fields", "-e", "tcp.port"],
                                 stdin=ctl.stdout, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                 text=True)
        time.sleep(SETTLE_S)
        self.client(ECHO, "short", 10)
        out, err = shark.communicate(timeout=30)
        self.assertEqual(ctl.wait(10), OK)
        self.assertEqual([line for line in err.splitlines() if "as user \"root\"" not in line], [])
        self.assertGreaterEqual(len(out.splitlines()), 2 * 10 * 8)


if __name__ == "__main__":
    unittest.main()
