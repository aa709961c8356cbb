#include "controller/topology/address_table.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

namespace kindling::controller {
namespace {

using model::Transport;

constexpr int64_t kMinuteNs = int64_t{60} * 1'000'000'000;
constexpr int64_t kNowNs = 100 * kMinuteNs;

model::AddressBinding Binding(const std::string& address, uint16_t port,
                              const std::string& workload, const std::string& host,
                              int64_t first_ns = kNowNs) {
  return {.first_ns = first_ns,
          .address = address,
          .port = port,
          .transport = Transport::kTcp,
          .workload = workload,
          .workload_kind = "process",
          .host = host};
}

std::string NameAt(const AddressTable& table, const std::string& address, uint16_t port,
                   int64_t time_ns = kNowNs, Transport transport = Transport::kTcp,
                   const std::string& observer_host = "elsewhere") {
  const auto found = table.Resolve(address, port, transport, time_ns, observer_host);
  return found ? found->name : "";
}

TEST(AddressTableTest, TheExactPortComesBeforeTheWholeAddress) {
  AddressTable table;
  table.Add(Binding("10.0.0.1", 80, "nginx:80", "a"));
  table.Add(Binding("10.0.0.1", 0, "container", "a"));
  EXPECT_EQ(NameAt(table, "10.0.0.1", 80), "nginx:80");
  EXPECT_EQ(NameAt(table, "10.0.0.1", 81), "container");
  EXPECT_EQ(NameAt(table, "10.0.0.1", 0), "container");
  EXPECT_EQ(NameAt(table, "10.0.0.2", 80), "");
  EXPECT_EQ(NameAt(table, "10.0.0.1", 80, kNowNs, Transport::kUdp), "");
}

TEST(AddressTableTest, AReusedAddressDoesNotRenameThePast) {
  AddressTable table;
  table.Add(Binding("10.0.0.1", 80, "new", "a", kNowNs + 10 * kMinuteNs));
  table.Add(Binding("10.0.0.1", 80, "old", "a", kNowNs));
  EXPECT_EQ(NameAt(table, "10.0.0.1", 80, kNowNs + 10 * kMinuteNs - 1), "old");
  EXPECT_EQ(NameAt(table, "10.0.0.1", 80, kNowNs + 10 * kMinuteNs), "new");
  // Shortly before the first binding it is taken to hold already, long before it is not.
  EXPECT_EQ(NameAt(table, "10.0.0.1", 80, kNowNs - kMinuteNs / 2), "old");
  EXPECT_EQ(NameAt(table, "10.0.0.1", 80, kNowNs - 2 * kMinuteNs), "");
}

TEST(AddressTableTest, LoopbackAndSocketPathsMeanSomethingOnTheirHostOnly) {
  AddressTable table;
  table.Add(Binding("127.0.0.1", 80, "on-a", "a"));
  table.Add(Binding("127.0.0.1", 80, "on-b", "b"));
  table.Add(Binding("/run/x.sock", 0, "db", "a"));
  EXPECT_EQ(NameAt(table, "127.0.0.1", 80, kNowNs, Transport::kTcp, "a"), "on-a");
  EXPECT_EQ(NameAt(table, "127.0.0.1", 80, kNowNs, Transport::kTcp, "b"), "on-b");
  EXPECT_EQ(NameAt(table, "127.0.0.1", 80, kNowNs, Transport::kTcp, "c"), "");
  EXPECT_EQ(NameAt(table, "/run/x.sock", 0, kNowNs, Transport::kTcp, "a"), "db");
  EXPECT_EQ(NameAt(table, "/run/x.sock", 0, kNowNs, Transport::kTcp, "b"), "");
  EXPECT_EQ(table.HostsOf("127.0.0.1"), nullptr);
}

TEST(AddressTableTest, APrivateAddressOnTwoHostsIsLookedForOnTheObserversOwn) {
  AddressTable table;
  table.Add(Binding("172.17.0.2", 80, "on-a", "a"));
  table.Add(Binding("172.17.0.2", 80, "on-b", "b", kNowNs + kMinuteNs));
  constexpr int64_t kLaterNs = kNowNs + 5 * kMinuteNs;
  EXPECT_EQ(NameAt(table, "172.17.0.2", 80, kLaterNs, Transport::kTcp, "a"), "on-a");
  EXPECT_EQ(NameAt(table, "172.17.0.2", 80, kLaterNs, Transport::kTcp, "b"), "on-b");
  // Anyone else may mean either of them, or one of their own.
  EXPECT_EQ(NameAt(table, "172.17.0.2", 80, kLaterNs, Transport::kTcp, "c"), "");
  EXPECT_FALSE(table.IsUnique("172.17.0.2"));
}

TEST(AddressTableTest, AHostThatHasTheAddressItselfDoesNotTakeAnothersName) {
  AddressTable table;
  table.Add(Binding("172.17.0.2", 80, "nginx:80", "a"));
  EXPECT_EQ(NameAt(table, "172.17.0.2", 80, kNowNs, Transport::kTcp, "c"), "nginx:80");
  table.Add(Binding("172.17.0.2", 5432, "postgres:5432", "b"));
  EXPECT_EQ(NameAt(table, "172.17.0.2", 80, kNowNs, Transport::kTcp, "a"), "nginx:80");
  EXPECT_EQ(NameAt(table, "172.17.0.2", 80, kNowNs, Transport::kTcp, "b"), "");
  EXPECT_EQ(NameAt(table, "172.17.0.2", 80, kNowNs, Transport::kTcp, "c"), "");
}

TEST(AddressTableTest, TheSameWorkloadOnTwoHostsHasItsNameWithoutAHost) {
  AddressTable table;
  table.Add(Binding("10.0.0.1", 80, "nginx:80", "a"));
  table.Add(Binding("10.0.0.1", 80, "nginx:80", "b"));
  const auto found = table.Resolve("10.0.0.1", 80, Transport::kTcp, kNowNs, "c");
  ASSERT_TRUE(found.has_value());
  EXPECT_EQ(found->name, "nginx:80");
  EXPECT_EQ(found->host, "");
}

TEST(AddressTableTest, APublicAddressMovesBetweenHosts) {
  AddressTable table;
  table.Add(Binding("192.0.2.1", 80, "on-a", "a"));
  table.Add(Binding("192.0.2.1", 80, "on-b", "b", kNowNs + kMinuteNs));
  EXPECT_EQ(NameAt(table, "192.0.2.1", 80, kNowNs, Transport::kTcp, "c"), "on-a");
  EXPECT_EQ(NameAt(table, "192.0.2.1", 80, kNowNs + kMinuteNs, Transport::kTcp, "c"), "on-b");
}

TEST(AddressTableTest, LinkLocalAddressesMeanSomethingOnTheirHostOnly) {
  AddressTable table;
  for (const std::string address : {"169.254.20.10", "fe80::1"}) {
    table.Add(Binding(address, 53, "resolver", "a"));
    EXPECT_EQ(NameAt(table, address, 53, kNowNs, Transport::kTcp, "a"), "resolver");
    EXPECT_EQ(NameAt(table, address, 53, kNowNs, Transport::kTcp, "b"), "");
    EXPECT_FALSE(table.IsUnique(address));
  }
}

TEST(AddressTableTest, TwoNamespacesOfAHostThatTakeTurnsHaveNoName) {
  AddressTable table;
  table.Add(Binding("10.0.0.2", 80, "red", "a", kNowNs));
  table.Add(Binding("10.0.0.2", 80, "blue", "a", kNowNs + kMinuteNs));
  // So far one may have followed the other.
  EXPECT_EQ(NameAt(table, "10.0.0.2", 80, kNowNs + 2 * kMinuteNs), "blue");
  table.Add(Binding("10.0.0.2", 80, "red", "a", kNowNs + 3 * kMinuteNs));
  for (int minute = 0; minute < 6; ++minute) {
    EXPECT_EQ(NameAt(table, "10.0.0.2", 80, kNowNs + minute * kMinuteNs), "") << minute;
  }
  // Long after, it is one workload that came back.
  AddressTable slow;
  slow.Add(Binding("10.0.0.2", 80, "red", "a", kNowNs));
  slow.Add(Binding("10.0.0.2", 80, "blue", "a", kNowNs + 30 * kMinuteNs));
  slow.Add(Binding("10.0.0.2", 80, "red", "a", kNowNs + 60 * kMinuteNs));
  EXPECT_EQ(NameAt(slow, "10.0.0.2", 80, kNowNs + 40 * kMinuteNs), "blue");
}

TEST(AddressTableTest, MappedAddressesAreTheirIpv4Address) {
  AddressTable table;
  table.Add(Binding("::ffff:10.0.0.1", 80, "nginx:80", "a"));
  EXPECT_EQ(NameAt(table, "10.0.0.1", 80), "nginx:80");
  EXPECT_EQ(NameAt(table, "::ffff:10.0.0.1", 80), "nginx:80");
}

TEST(AddressTableTest, ABindingWithoutAWorkloadTellsTheHost) {
  AddressTable table;
  table.Add(Binding("10.0.0.1", 0, "", "a"));
  EXPECT_EQ(NameAt(table, "10.0.0.1", 80), "");
  ASSERT_NE(table.HostsOf("10.0.0.1"), nullptr);
  EXPECT_TRUE(table.HostsOf("10.0.0.1")->contains("a"));
}

TEST(AddressTextTest, IsWhatOneWouldType) {
  EXPECT_EQ(AddressText("10.0.0.1", 80), "10.0.0.1:80");
  EXPECT_EQ(AddressText("fe80::1", 80), "[fe80::1]:80");
  EXPECT_EQ(AddressText("/run/x.sock", 0), "/run/x.sock");
}

// What Resolve gives is looked up at each of the times; between them nothing changes.
TEST(AddressTableTest, TellsWhenAnAddressChangesHands) {
  constexpr int64_t kHourNs = int64_t{3600} * 1'000'000'000;
  const auto binding = [](int64_t first_ns, const std::string& workload, uint16_t port,
                          const std::string& host) {
    model::AddressBinding out;
    out.first_ns = first_ns;
    out.address = "203.0.113.7";
    out.port = port;
    out.transport = port == 0 ? model::Transport::kUnknown : model::Transport::kTcp;
    out.workload = workload;
    out.host = host;
    return out;
  };
  AddressTable table;
  table.Add(binding(10 * kHourNs, "a", 80, "h"));
  table.Add(binding(20 * kHourNs, "b", 80, "h"));
  table.Add(binding(20 * kHourNs + kHourNs / 20, "a", 80, "h"));
  table.Add(binding(25 * kHourNs, "c", 80, "other"));
  table.Add(binding(15 * kHourNs, "all", 0, "h"));
  table.Add(binding(16 * kHourNs, "elsewhere", 81, "h"));
  const auto resolve = [&](int64_t time_ns) {
    const auto found =
        table.Resolve("203.0.113.7", 80, model::Transport::kTcp, time_ns, "somebody");
    return found ? found->name : "";
  };
  const auto changes = table.ChangesOf("::ffff:203.0.113.7", 80, model::Transport::kTcp, 0, 100);
  ASSERT_TRUE(changes);
  const std::set<int64_t> times(changes->begin(), changes->end());
  EXPECT_FALSE(times.contains(16 * kHourNs));
  for (int64_t time_ns = 1'000'000'000; time_ns < 30 * kHourNs; time_ns += 10'000'000'000) {
    if (resolve(time_ns) != resolve(time_ns - 1)) {
      EXPECT_TRUE(times.contains(time_ns)) << time_ns;
    }
    const auto [from_ns, until_ns] =
        table.UnchangedAround("203.0.113.7", 80, model::Transport::kTcp, time_ns);
    EXPECT_LE(from_ns, time_ns);
    EXPECT_GT(until_ns, time_ns);
    EXPECT_TRUE(from_ns == INT64_MIN || times.contains(from_ns)) << from_ns;
    EXPECT_TRUE(until_ns == INT64_MAX || times.contains(until_ns)) << until_ns;
  }
  EXPECT_EQ(table.ChangesOf("203.0.113.7", 80, model::Transport::kTcp, 25 * kHourNs, 0)->size(), 0);
  EXPECT_EQ(table.ChangesOf("203.0.113.7", 80, model::Transport::kTcp, 0, 3), std::nullopt);
  EXPECT_EQ(table.ChangesOf("203.0.113.8", 80, model::Transport::kTcp, 0, 3)->size(), 0);
}

}  // namespace
}  // namespace kindling::controller
