#include "controller/path/path_run.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <thread>
#include <vector>

#include "base/testing/status_matchers.h"
#include "kindling/v1/tasks.pb.h"
#include "model/packet_path.h"

namespace kindling::controller {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

v1::TracedHop Hop(uint64_t packet, model::PathPlace place, int64_t wall_ns) {
  v1::TracedHop hop;
  hop.set_packet(packet);
  hop.set_place(static_cast<uint32_t>(place));
  hop.set_wall_ns(wall_ns);
  hop.set_sequence(static_cast<uint32_t>(packet));
  hop.set_is_new(place == model::PathPlace::kQueued);
  hop.mutable_tuple()->set_source("10.0.0.1");
  hop.mutable_tuple()->set_destination("10.0.0.2");
  return hop;
}

class PathRunTest : public ::testing::Test {
 protected:
  // An agent whose part of the next run is done by `part`, on a thread.
  using Part = std::function<void(TaskQueue& queue, size_t agent)>;
  void Attend(const std::string& id, Part part,
              std::vector<std::string> tasks = {"kindling.v1.TracePathTask"}) {
    ASSERT_OK(hub_.Attend({.agent_id = id, .host = id + ".host", .tasks = std::move(tasks)},
                          {.start =
                               [this, id, part](const v1::StartTask& start) {
                                 const auto place = hub_.Find(start.task_id(), id);
                                 ASSERT_OK(place);
                                 threads_.emplace_back([place = *place, part] {
                                   place.queue->Open(place.agent, [] {});
                                   part(*place.queue, place.agent);
                                 });
                               },
                           .end = [](const absl::Status&) {}}));
  }
  void TearDown() override {
    for (std::thread& thread : threads_) thread.join();
  }

  static void Push(TaskQueue& queue, size_t agent, const v1::PathHops& hops) {
    google::protobuf::Any any;
    any.PackFrom(hops);
    queue.Push(agent, std::move(any));
  }
  static void AwaitStop(TaskQueue& queue, size_t agent) {
    while (!queue.AsksOf(agent).stop && !queue.AsksOf(agent).given_up) {
      absl::SleepFor(absl::Milliseconds(2));
    }
  }

  void Trace(const v1::TracePathRequest& request) {
    auto run = PathRun::Start(hub_, request, v1::TracePathTask());
    ASSERT_OK(run);
    (*run)->Tell({}, {.write =
                          [this](const v1::TracePathResponse& part) {
                            parts_.push_back(part);
                            return parts_.size() < most_parts_;
                          },
                      .cancelled = [] { return false; }});
  }
  const v1::PathSummary& summary() const { return parts_.back().summary(); }
  std::vector<std::string> Notes() const {
    return {summary().notes().begin(), summary().notes().end()};
  }

  TaskHub hub_;
  std::vector<std::thread> threads_;
  std::vector<v1::TracePathResponse> parts_;
  size_t most_parts_ = 1000;
};

TEST_F(PathRunTest, WhatPassedBeforeAllHadBegunIsLeftOut) {
  const auto began = [](TaskQueue& queue, size_t agent) {
    v1::PathHops first;
    first.set_began_ns(absl::GetCurrentTimeNanos());
    Push(queue, agent, first);
  };
  Attend("early", [began](TaskQueue& queue, size_t agent) {
    began(queue, agent);
    v1::PathHops before;
    *before.add_hops() = Hop(1, model::PathPlace::kQueued, absl::GetCurrentTimeNanos());
    Push(queue, agent, before);
    absl::SleepFor(absl::Milliseconds(400));
    v1::PathHops after;
    *after.add_hops() = Hop(2, model::PathPlace::kQueued, absl::GetCurrentTimeNanos());
    after.mutable_hops(0)->set_device("after");
    // Of before, however late it comes.
    *after.add_hops() = Hop(3, model::PathPlace::kQueued, before.hops(0).wall_ns());
    Push(queue, agent, after);
    queue.End(agent, absl::OkStatus());
  });
  Attend("late", [began](TaskQueue& queue, size_t agent) {
    absl::SleepFor(absl::Milliseconds(100));
    began(queue, agent);
    queue.End(agent, absl::OkStatus());
  });
  Trace({});
  ASSERT_THAT(parts_, SizeIs(3));  // the begin, one packet, the summary
  EXPECT_EQ(parts_[1].packet().hops(0).device(), "after");
}

TEST_F(PathRunTest, HopsOfTwoHostsAreOnePacket) {
  Attend("a", [](TaskQueue& queue, size_t agent) {
    Push(queue, agent, {});
    v1::PathHops hops;
    *hops.add_hops() = Hop(7, model::PathPlace::kQueued, 100);
    *hops.add_hops() = Hop(7, model::PathPlace::kTransmit, 200);
    Push(queue, agent, hops);
    queue.End(agent, absl::OkStatus());
  });
  Attend("b", [](TaskQueue& queue, size_t agent) {
    Push(queue, agent, {});
    v1::PathHops hops;
    *hops.add_hops() = Hop(3, model::PathPlace::kSocket, 900);
    hops.mutable_hops(0)->set_sequence(7);
    hops.mutable_hops(0)->set_is_new(true);
    Push(queue, agent, hops);
    queue.End(agent, absl::OkStatus());
  });
  Trace({});
  ASSERT_THAT(parts_, SizeIs(3));
  EXPECT_THAT(parts_[0].begun().hosts(), ElementsAre("a.host", "b.host"));
  const v1::PacketPath& packet = parts_[1].packet();
  ASSERT_EQ(packet.hops_size(), 3);
  EXPECT_EQ(packet.outcome(), "delivered");
  EXPECT_EQ(packet.hops(2).host(), "b.host");
  EXPECT_EQ(summary().packets(), 1);
  EXPECT_FALSE(summary().partial());
  EXPECT_THAT(Notes(), Contains(HasSubstr("clocks")));
}

TEST_F(PathRunTest, ItIsOverAfterSoManyPackets) {
  Attend("a", [](TaskQueue& queue, size_t agent) {
    Push(queue, agent, {});
    v1::PathHops hops;
    for (int i = 1; i <= 10; ++i) *hops.add_hops() = Hop(i, model::PathPlace::kQueued, 100);
    Push(queue, agent, hops);
    AwaitStop(queue, agent);
    queue.End(agent, absl::OkStatus());
  });
  v1::TracePathRequest request;
  request.set_max_packets(4);
  const absl::Time began = absl::Now();
  Trace(request);
  EXPECT_LT(absl::Now() - began, absl::Seconds(8));  // not the ten seconds of the limit
  EXPECT_THAT(parts_, SizeIs(1 + 4 + 1));
  EXPECT_EQ(summary().packets(), 4);
}

TEST_F(PathRunTest, WhatWasLostIsSaid) {
  Attend("a", [](TaskQueue& queue, size_t agent) {
    v1::PathHops hops;
    hops.add_not_seen("without a hook: something");
    Push(queue, agent, hops);
    hops.Clear();
    hops.set_lost_hops(5);
    hops.set_packets_passed_over(6);
    Push(queue, agent, hops);
    queue.End(agent, absl::OkStatus());
  });
  Attend("b", [](TaskQueue& queue, size_t agent) {
    queue.End(agent, absl::PermissionDeniedError("not root"));
  });
  Attend("c", [](TaskQueue&, size_t) {}, {"another.Task"});
  Trace({});
  EXPECT_TRUE(summary().partial());
  EXPECT_THAT(Notes(), Contains(HasSubstr("a.host, without a hook: something")));
  EXPECT_THAT(Notes(), Contains(HasSubstr("5 hops")));
  EXPECT_THAT(Notes(), Contains(HasSubstr("6 packets")));
  EXPECT_THAT(Notes(), Contains(HasSubstr("b.host: not root")));
  EXPECT_THAT(Notes(), Contains(HasSubstr("agent c")));
}

TEST_F(PathRunTest, AnAgentThatSaysNonsense) {
  Attend("a", [](TaskQueue& queue, size_t agent) {
    google::protobuf::Any any;
    any.PackFrom(v1::OpenTask());
    queue.Push(agent, any);
    any.set_type_url("type.googleapis.com/kindling.v1.PathHops");
    any.set_value("\xff\xff\xff");
    queue.Push(agent, any);
    v1::PathHops hops;
    hops.add_hops()->set_place(4'000'000'000);
    hops.set_lost_hops(-1);
    Push(queue, agent, hops);
    queue.End(agent, absl::OkStatus());
  });
  Trace({});
  EXPECT_TRUE(summary().partial());
  EXPECT_EQ(summary().packets(), 0);
  EXPECT_THAT(Notes(), Contains(HasSubstr("something else than hops")));
}

TEST_F(PathRunTest, OnlyTheSummary) {
  Attend("a", [](TaskQueue& queue, size_t agent) {
    v1::PathHops hops;
    *hops.add_hops() = Hop(1, model::PathPlace::kQueued, 100);
    Push(queue, agent, hops);
    queue.End(agent, absl::OkStatus());
  });
  v1::TracePathRequest request;
  request.set_summary_only(true);
  Trace(request);
  EXPECT_THAT(parts_, SizeIs(2));
  EXPECT_EQ(summary().packets(), 1);
  EXPECT_THAT(summary().places(), Not(IsEmpty()));
}

TEST_F(PathRunTest, WhereNobodyReadsOnItEnds) {
  Attend("a", [](TaskQueue& queue, size_t agent) {
    v1::PathHops hops;
    for (int i = 1; i <= 10; ++i) *hops.add_hops() = Hop(i, model::PathPlace::kQueued, 100);
    Push(queue, agent, hops);
    AwaitStop(queue, agent);
    queue.End(agent, absl::OkStatus());
  });
  most_parts_ = 3;
  Trace({});
  EXPECT_THAT(parts_, SizeIs(3));
}

TEST_F(PathRunTest, WithoutAgentsThereIsNothingToTrace) {
  Attend("c", [](TaskQueue&, size_t) {}, {"another.Task"});
  EXPECT_TRUE(absl::IsFailedPrecondition(PathRun::Start(hub_, {}, v1::TracePathTask()).status()));
}

}  // namespace
}  // namespace kindling::controller
