// Plays golden recordings through the pipeline of a live agent and compares every edge with what is
// checked in beside them. KINDLING_UPDATE_GOLDEN=DIR writes what came out to DIR instead.

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_format.h"
#include "agent/assembly.h"
#include "agent/config.h"
#include "agent/recording/reader.h"
#include "base/testing/status_matchers.h"

namespace kindling::agent {
namespace {

class Collector final : public BatchSink {
 public:
  void OnBatch(model::Batch batch) override { batches.push_back(std::move(batch)); }
  std::vector<model::Batch> batches;
};

std::string PartyText(const model::Party& party) {
  if (!party.workload.empty()) return party.workload;
  std::string text = party.dns_name.empty() ? party.address : party.dns_name;
  if (party.port != 0) text += absl::StrFormat(":%d", party.port);
  return text.empty() ? "?" : text;
}

// One line per edge, endpoint and status over the whole recording, then what was lost.
std::string Summary(const std::vector<model::Batch>& batches) {
  struct Sum {
    uint64_t count = 0, sent = 0, received = 0, connections = 0, failures = 0, lost = 0;
  };
  std::map<std::string, Sum> rows;
  uint64_t spans = 0;
  std::map<std::string, uint64_t> losses;
  for (const model::Batch& batch : batches) {
    spans += batch.spans.size();
    for (const model::Loss& loss : batch.losses) {
      losses[std::string(model::Name(loss.stage))] += loss.requests + loss.events;
    }
    for (const model::EdgeStats& row : batch.edges) {
      Sum& sum = rows[absl::StrFormat("%s %s -> %s %s/%s '%s' %s %s", model::Name(row.observer),
                                      PartyText(row.client), PartyText(row.server),
                                      model::Name(row.protocol), model::Name(row.transport),
                                      row.endpoint, row.status_code, model::Name(row.outcome))];
      sum.count += row.count;
      sum.sent += row.sent_bytes;
      sum.received += row.received_bytes;
      sum.connections += row.connections;
      sum.failures += row.connect_failures;
      sum.lost += row.lost;
    }
  }
  std::string text;
  for (const auto& [key, sum] : rows) {
    text +=
        absl::StrFormat("%s: %d requests, %d/%d bytes, %d connections, %d failed, %d lost\n", key,
                        sum.count, sum.sent, sum.received, sum.connections, sum.failures, sum.lost);
  }
  for (const auto& [stage, count] : losses) text += absl::StrFormat("lost %s: %d\n", stage, count);
  return text + absl::StrFormat("spans: %d\n", spans);
}

std::string Play(const std::string& path) {
  auto reader = RecordingReader::Open(path);
  EXPECT_OK(reader);
  if (!reader.ok()) return "";
  const RecordingHeader& header = (*reader)->header();
  auto config = ParseAgentConfig(header.config_yaml, path, /*needs_scope=*/false);
  EXPECT_OK(config);
  config->set_host(header.host);
  Collector collector;
  Aggregator aggregator(AggregatorOptionsOf(*config, 0), &collector);
  Pipeline pipeline(PipelineOptionsOf(*config, header.own_cgroup), **reader, aggregator,
                    [](ConnId, bool) {});
  pipeline.OnTick(header.start_boot_ns, header.start_wall_ns);
  while (true) {
    const absl::StatusOr<bool> more = (*reader)->PlayNext(pipeline);
    EXPECT_OK(more);
    if (!more.ok() || !*more) break;
  }
  aggregator.Flush();
  return Summary(collector.batches);
}

class GoldenReplayTest : public testing::TestWithParam<const char*> {};

TEST_P(GoldenReplayTest, GivesTheSameEdges) {
  const std::string base = std::string("tests/golden/") + GetParam();
  const std::string got = Play(base + ".krec");
  EXPECT_EQ(Play(base + ".krec"), got) << "two replays of one recording differ";
  if (const char* directory = std::getenv("KINDLING_UPDATE_GOLDEN")) {
    std::ofstream(std::string(directory) + "/" + GetParam() + ".expected") << got;
    return;
  }
  std::ifstream file(base + ".expected");
  const std::string expected((std::istreambuf_iterator<char>(file)), {});
  ASSERT_FALSE(expected.empty());
  EXPECT_EQ(got, expected);
}

INSTANTIATE_TEST_SUITE_P(Recordings, GoldenReplayTest, testing::Values("demo"),
                         [](const auto& info) { return std::string(info.param); });

}  // namespace
}  // namespace kindling::agent
