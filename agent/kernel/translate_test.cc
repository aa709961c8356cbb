#include "agent/kernel/translate.h"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <cstring>
#include <type_traits>
#include <vector>

namespace kindling::agent {
namespace {

// No hidden padding: every byte of a record is one that the programs wrote.
static_assert(std::has_unique_object_representations_v<kd_data>);
static_assert(std::has_unique_object_representations_v<kd_peer>);
static_assert(std::has_unique_object_representations_v<kd_conn_open>);
static_assert(std::has_unique_object_representations_v<kd_conn_close>);
static_assert(std::has_unique_object_representations_v<kd_connect_failed>);
static_assert(std::has_unique_object_representations_v<kd_listen>);
static_assert(std::has_unique_object_representations_v<kd_task_event>);
static_assert(std::has_unique_object_representations_v<kd_counters>);
static_assert(std::has_unique_object_representations_v<kd_loss>);
static_assert(std::has_unique_object_representations_v<kd_verdict>);
static_assert(std::has_unique_object_representations_v<kd_tcp_stats>);
static_assert(std::has_unique_object_representations_v<kd_listener_stats>);

// The wire's numbers are the pipeline's.
static_assert(KD_SENT == static_cast<int>(Direction::kSent));
static_assert(KD_RECEIVED == static_cast<int>(Direction::kReceived));
static_assert(KD_ORIGIN_CONNECT == static_cast<int>(ConnOrigin::kConnect));
static_assert(KD_ORIGIN_ACCEPT == static_cast<int>(ConnOrigin::kAccept));
static_assert(KD_ORIGIN_FOUND == static_cast<int>(ConnOrigin::kFound));
static_assert(KD_ORIGIN_FIRST_DATA == static_cast<int>(ConnOrigin::kFirstData));
static_assert(KD_TRANSPORT_TCP == static_cast<int>(model::Transport::kTcp));
static_assert(KD_TRANSPORT_UDP == static_cast<int>(model::Transport::kUdp));
static_assert(KD_TRANSPORT_UNIX == static_cast<int>(model::Transport::kUnix));
static_assert(KD_SIDE_CLIENT == static_cast<int>(model::Side::kClient));
static_assert(KD_SIDE_SERVER == static_cast<int>(model::Side::kServer));
static_assert(KD_TASK_EXEC == static_cast<int>(TaskEventKind::kExec));
static_assert(KD_TASK_EXIT == static_cast<int>(TaskEventKind::kExit));
static_assert(KD_TASK_OOM_KILL == static_cast<int>(TaskEventKind::kOomKill));
static_assert(KD_TASK_FOUND == static_cast<int>(TaskEventKind::kFound));
static_assert(KD_TASK_FORK == static_cast<int>(TaskEventKind::kFork));

std::vector<std::byte> Record(const kd_data& data, std::string_view payload) {
  std::vector<std::byte> record(sizeof(data) + payload.size());
  std::memcpy(record.data(), &data, sizeof(data));
  std::memcpy(record.data() + sizeof(data), payload.data(), payload.size());
  return record;
}

TEST(TranslateTest, DataWithPeerAfterPadding) {
  kd_data data{.conn = 7,
               .boot_ns = 9,
               .position = 11,
               .size = 20,
               .tcp_seq = 1,
               .turn = 3,
               .tgid = 4,
               .tid = 5,
               .captured = 5,
               .direction = KD_RECEIVED,
               .flags = KD_DATA_HAS_PEER};
  std::vector<std::byte> record = Record(data, "hello\0\0\0");
  record.resize(sizeof(data) + 8);
  kd_peer peer{.family = AF_INET, .port = 53, .pad = 0, .address = {127, 0, 0, 1}};
  const auto* raw = reinterpret_cast<const std::byte*>(&peer);
  record.insert(record.end(), raw, raw + sizeof(peer));
  DataEvent event;
  ASSERT_TRUE(ToDataEvent(record, event));
  EXPECT_EQ(event.id, 7);
  EXPECT_EQ(event.size, 20);
  EXPECT_EQ(event.direction, Direction::kReceived);
  EXPECT_EQ(std::memcmp(event.bytes.data(), "hello", 5), 0);
  EXPECT_EQ(event.bytes.size(), 5);
  EXPECT_EQ(ToString(event.remote), "127.0.0.1");
  EXPECT_EQ(event.remote_port, 53);
}

TEST(TranslateTest, TooShortAtEveryLength) {
  kd_data data{};
  data.captured = 8;
  data.flags = KD_DATA_HAS_PEER;
  const std::vector<std::byte> record = Record(data, std::string(8 + sizeof(kd_peer), 'x'));
  DataEvent event;
  for (size_t size = 0; size < record.size(); ++size) {
    EXPECT_FALSE(ToDataEvent(std::span(record).first(size), event)) << size;
  }
  EXPECT_TRUE(ToDataEvent(record, event));
}

TEST(TranslateTest, UnixPaths) {
  kd_conn_open open{};
  open.transport = KD_TRANSPORT_UNIX;
  EXPECT_EQ(ToConnOpen(open).unix_path, "");
  std::strcpy(open.unix_path, "/run/x.sock");
  open.unix_path_bytes = sizeof(open.unix_path);  // as bound with the whole sockaddr
  EXPECT_EQ(ToConnOpen(open).unix_path, "/run/x.sock");
  std::memcpy(open.unix_path, "\0name", 5);
  open.unix_path_bytes = 5;
  EXPECT_EQ(ToConnOpen(open).unix_path, "@name");
  open.unix_path_bytes = 4000;
  EXPECT_LE(ToConnOpen(open).unix_path.size(), sizeof(open.unix_path));
}

TEST(TranslateTest, ReasonsOfResetsByName) {
  kd_tcp_stats stats{};
  stats.reset_reason = 1;
  EXPECT_EQ(ToTcpSample(stats, {"a", "b"}).reset_reason, "");  // none was sent
  stats.resets_sent = 1;
  EXPECT_EQ(ToTcpSample(stats, {"a", "b"}).reset_reason, "b");
  EXPECT_EQ(ToTcpSample(stats, {"a"}).reset_reason, "");
  stats.congestion = 31;  // more than there are
  EXPECT_EQ(ToTcpSample(stats, {}).congestion, CongestionState::kLoss);
}

TEST(TranslateTest, AnUnconnectedSocketHasNoRemote) {
  kd_conn_open open{};
  open.transport = KD_TRANSPORT_UDP;
  open.ends.family = AF_INET6;
  open.ends.local_port = 53;
  EXPECT_EQ(ToConnOpen(open).local.size, 16);
  EXPECT_EQ(ToConnOpen(open).remote.size, 0);
}

}  // namespace
}  // namespace kindling::agent
