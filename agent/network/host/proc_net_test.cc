#include "agent/network/host/proc_net.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace kindling::agent {
namespace {

using model::host::Metric;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr char kSockstat[] =
    "sockets: used 26\nTCP: inuse 1 orphan 3 tw 2 alloc 5 mem 217\nUDP: inuse 4 mem 6\nRAW: inuse "
    "0\n";
constexpr char kNetstat[] =
    "TcpExt: SyncookiesSent TCPRcvQDrop TCPMemoryPressures TCPMemoryPressuresChrono\n"
    "TcpExt: 9 7 3 1500\n"
    "IpExt: InNoRoutes InOctets\n"
    "IpExt: 5 6\n";
constexpr char kSoftnet[] =
    "0000000a 00000002 00000003 0 0 0 0 0 0 0 0 0 00000000 0 0\n"
    "000000ff 00000000 00000001 0 0 0 0 0 0 0 0 0 00000003 0 0\n";
constexpr char kConntrack[] =
    "entries  clashres insert_failed drop early_drop\n"
    "00000005  00000000 00000001 0000000a 00000000\n"
    "00000005  00000000 00000002 00000001 00000000\n";

template <typename Read>
std::vector<NetworkFigure> Figures(Read read, std::string_view text) {
  std::vector<NetworkFigure> figures;
  read(text, figures);
  return figures;
}

NetworkFigure Figure(Metric metric, double value, std::string detail = "") {
  return {.metric = metric, .detail = std::move(detail), .value = value};
}

TEST(ProcNetTest, Sockets) {
  EXPECT_THAT(
      Figures(ReadSockets, kSockstat),
      ElementsAre(Figure(Metric::kSockets, 1, "tcp"), Figure(Metric::kSockets, 3, "tcp_orphan"),
                  Figure(Metric::kSockets, 2, "tcp_time_wait"),
                  Figure(Metric::kSockets, 4, "udp")));
}

TEST(ProcNetTest, SocketMemoryIsOfPages) {
  std::vector<NetworkFigure> figures;
  ReadSocketMemory(kSockstat, "100\t200\t300\n", "1 2 3\n", 4096, figures);
  EXPECT_THAT(figures, ElementsAre(Figure(Metric::kTcpMemoryBytes, 217 * 4096.0),
                                   Figure(Metric::kTcpMemoryPressureBytes, 200 * 4096.0),
                                   Figure(Metric::kTcpMemoryMaxBytes, 300 * 4096.0),
                                   Figure(Metric::kUdpMemoryBytes, 6 * 4096.0),
                                   Figure(Metric::kUdpMemoryMaxBytes, 3 * 4096.0)));
  figures.clear();
  ReadSocketMemory(kSockstat, "", "1 2 -3", 4096, figures);  // as outside the host's namespace
  EXPECT_EQ(figures.size(), 2u);
}

TEST(ProcNetTest, ProtocolCounters) {
  EXPECT_THAT(Figures(ReadProtocolCounters, kNetstat),
              ElementsAre(Figure(Metric::kProtocolDrops, 7, "TcpExt.TCPRcvQDrop"),
                          Figure(Metric::kTcpMemoryPressures, 3),
                          Figure(Metric::kTcpMemoryPressureTime, 1.5),
                          Figure(Metric::kProtocolDrops, 5, "IpExt.InNoRoutes")));
  // "-1" is what snmp has as Tcp MaxConn.
  EXPECT_THAT(Figures(ReadProtocolCounters, "Udp: NoPorts MaxConn InCsumErrors\nUdp: 1 -1 2\n"),
              ElementsAre(Figure(Metric::kProtocolDrops, 1, "Udp.NoPorts"),
                          Figure(Metric::kProtocolDrops, 2, "Udp.InCsumErrors")));
}

TEST(ProcNetTest, SoftnetNamesTheCpuOfALine) {
  EXPECT_THAT(
      Figures(ReadSoftnet, kSoftnet),
      ElementsAre(Figure(Metric::kSoftirqPackets, 10, "0"), Figure(Metric::kSoftirqDrops, 2, "0"),
                  Figure(Metric::kSoftirqSqueezes, 3, "0"),
                  Figure(Metric::kSoftirqPackets, 255, "3"), Figure(Metric::kSoftirqDrops, 0, "3"),
                  Figure(Metric::kSoftirqSqueezes, 1, "3")));
  EXPECT_THAT(
      Figures(ReadSoftnet, "1 2 3\n"),  // a kernel before 5.10
      ElementsAre(Figure(Metric::kSoftirqPackets, 1, "0"), Figure(Metric::kSoftirqDrops, 2, "0"),
                  Figure(Metric::kSoftirqSqueezes, 3, "0")));
}

TEST(ProcNetTest, ConntrackIsTheSumOfCpus) {
  EXPECT_THAT(Figures(ReadConntrackCounters, kConntrack),
              ElementsAre(Figure(Metric::kConntrackDrops, 11, "drop"),
                          Figure(Metric::kConntrackDrops, 0, "early_drop"),
                          Figure(Metric::kConntrackDrops, 3, "insert_failed")));
}

TEST(ProcNetTest, PortRange) {
  EXPECT_EQ(ReadPortRange("32768\t60999\n").size(), 28232);
  EXPECT_EQ(ReadPortRange("5 5").size(), 1);
  for (const char* text : {"", "5", "5 4", "0 4", "1 65536", "a b", "1 2 3", "-1 5"}) {
    EXPECT_EQ(ReadPortRange(text).size(), 0) << text;
  }
}

// Everything that reads text, of which nothing needs to be true.
std::vector<NetworkFigure> ReadAll(std::string_view text) {
  std::vector<NetworkFigure> figures;
  ReadSockets(text, figures);
  ReadSocketMemory(text, text, text, 4096, figures);
  ReadProtocolCounters(text, figures);
  ReadSoftnet(text, figures);
  ReadConntrackCounters(text, figures);
  ReadNumber(text, Metric::kConntrackMax, figures);
  ReadPortRange(text);
  return figures;
}

TEST(ProcNetTest, ReadsAnyPartOfAFile) {
  for (const std::string_view text : {kSockstat, kNetstat, kSoftnet, kConntrack}) {
    for (size_t cut = 0; cut <= text.size(); ++cut) {
      for (const NetworkFigure& figure : ReadAll(text.substr(0, cut))) {
        EXPECT_GE(figure.value, 0);
      }
      ReadAll(text.substr(cut));
    }
  }
}

TEST(ProcNetTest, GarbageGivesNoFigures) {
  EXPECT_THAT(ReadAll(""), IsEmpty());
  EXPECT_THAT(ReadAll("\n\n\n"), IsEmpty());
  EXPECT_THAT(ReadAll(std::string_view("\0\xff\x01 \0", 5)), IsEmpty());
  EXPECT_THAT(ReadAll("TCP: inuse inuse mem\nTcpExt: TCPRcvQDrop\nTcpExt: x\n"), IsEmpty());
  EXPECT_THAT(ReadAll("TcpExt: TCPRcvQDrop TCPRcvQDrop\nTcpExt: 1\n"), IsEmpty());
  EXPECT_THAT(ReadAll("Tcp: inuse 99999999999999999999999\n"), IsEmpty());
  EXPECT_THAT(Figures([](std::string_view text,
                         auto& figures) { ReadNumber(text, Metric::kConntrackMax, figures); },
                      "18446744073709551616"),
              IsEmpty());
}

}  // namespace
}  // namespace kindling::agent
