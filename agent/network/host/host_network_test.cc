#include "agent/network/host/host_network.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <set>

#include "base/testing/temp_dir.h"

namespace kindling::agent {
namespace {

using model::host::Metric;
using ::testing::ElementsAre;
using ::testing::UnorderedElementsAre;

// Answers with the namespace that was entered last.
class Kernel final : public KernelAnswers {
 public:
  std::string File(const std::string& path) override {
    return path.ends_with("nf_conntrack_count") ? std::to_string(entered) : "";
  }
  bool Dump(int, std::span<const std::byte>, const std::function<void(const nlmsghdr&)>&) override {
    return true;
  }
  int entered = 0;
};

double Failures(const NetworkReading& host, std::string_view reason) {
  for (const NetworkFigure& figure : host.figures) {
    if (figure.metric == Metric::kUnread && figure.detail == reason) return figure.value;
  }
  return -1;
}

TEST(HostNetworkTest, ReadsEachNamespaceAndPassesOverWhatIsGone) {
  Kernel kernel;
  std::set<int> refused;
  HostNetwork network({.find =
                           [] {
                             ScopeNamespaces namespaces{.gone = 1, .beyond = 2};
                             for (const uint32_t inode : {11, 12, 13}) {
                               namespaces.found.push_back(
                                   {.name = std::to_string(inode),
                                    .inode = inode,
                                    .fd = base::UniqueFd(::open("/dev/null", O_RDONLY))});
                             }
                             return namespaces;
                           },
                       .enter =
                           [&](int fd) {
                             const bool is_there = !refused.contains(kernel.entered + 1);
                             ++kernel.entered;
                             return is_there && fd >= 0;
                           },
                       .kernel = kernel});
  refused = {2};
  const std::vector<NetworkReading> readings = network.Read();
  std::vector<uint32_t> numbers;
  for (const NetworkReading& reading : readings) numbers.push_back(reading.netns);
  EXPECT_THAT(numbers, ElementsAre(0, 11, 13));
  EXPECT_EQ(readings[2].name_space, "13");
  EXPECT_EQ(readings[2].figures,
            (std::vector<NetworkFigure>{{.metric = Metric::kConntrackEntries, .value = 3}}));
  EXPECT_EQ(kernel.entered, 4);  // and back
  EXPECT_EQ(Failures(readings[0], "namespace_gone"), 2);
  EXPECT_EQ(Failures(readings[0], "too_many_namespaces"), 2);
  EXPECT_EQ(Failures(network.Read()[0], "namespace_gone"), 3);  // grows
}

class ScopeNamespacesTest : public ::testing::Test {
 protected:
  void AddProcess(const std::string& pid, const std::string& parent) {
    const std::filesystem::path process = std::filesystem::path(directory_.path()) / pid;
    std::filesystem::create_directories(process / "ns");
    std::ofstream(process / "ns/net") << "x";
    std::ofstream(process / "stat") << pid << " (sh) S " << parent << " 0\n";
  }
  std::vector<std::string> Find(const ScopeOptions& scope) {
    ScopeNamespaces namespaces = FindNamespaces(scope, directory_.path());
    gone_ = namespaces.gone;
    std::vector<std::string> names;
    for (const NamespaceRef& found : namespaces.found) {
      EXPECT_NE(found.inode, 0u);
      names.push_back(found.name == std::to_string(found.inode) ? "(number)" : found.name);
    }
    return names;
  }

  base::TempDir directory_;
  uint64_t gone_ = 0;
};

TEST_F(ScopeNamespacesTest, NamedOnesTheHostsAndThoseOfProcesses) {
  AddProcess("1", "0");
  AddProcess("20", "1");
  AddProcess("30", "20");
  AddProcess("40", "1");
  std::ofstream(directory_.File("shop")) << "x";
  EXPECT_THAT(Find({.host = true}), ElementsAre("host"));
  EXPECT_THAT(Find({.network_namespaces = {directory_.File("shop"), directory_.File("shop"),
                                           directory_.File("none")}}),
              ElementsAre("shop"));
  EXPECT_EQ(gone_, 1u);
  EXPECT_THAT(Find({.pids = {20}}), ElementsAre("(number)", "(number)"));
  EXPECT_THAT(Find({}), ElementsAre());
}

}  // namespace
}  // namespace kindling::agent
