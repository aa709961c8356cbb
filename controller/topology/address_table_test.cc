#include "controller/topology/address_table.h"

#include <gtest/gtest.h>

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

}  // namespace
}  // namespace kindling::controller
