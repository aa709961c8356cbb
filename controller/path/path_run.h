#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "controller/path/path_messages.h"
#include "controller/tasks/task_hub.h"
#include "kindling/v1/paths.pb.h"
#include "model/path_journeys.h"
#include "model/path_summary.h"

namespace kindling::controller {

// One trace of a path: agents follow packets, and their hops become packets here.
//
// Threads: one.
// Limits:  those of JourneyTable, PathSummary and TaskHub; kMaxNotes notes.
class PathRun {
 public:
  static constexpr size_t kMaxNotes = 64;
  static constexpr absl::Duration kDefaultLimit = absl::Seconds(10);
  static constexpr absl::Duration kMaxLimit = absl::Minutes(10);

  // `write` returns false when nobody reads on; so does `cancelled`.
  struct Reader {
    std::function<bool(const v1::TracePathResponse&)> write;
    std::function<bool()> cancelled;
  };

  // FAILED_PRECONDITION: no agent follows packets; the errors of TaskHub::Start.
  static absl::StatusOr<std::unique_ptr<PathRun>> Start(TaskHub& hub,
                                                        const v1::TracePathRequest& request,
                                                        const v1::TracePathTask& task);

  // From the first message, which comes when the agents follow packets, to the summary.
  void Tell(v1::PathBegun begun, const Reader& reader);

 private:
  explicit PathRun(const v1::TracePathRequest& request);

  // Until every agent has begun or failed, or is not heard of; false: nobody reads on.
  bool AwaitBegin(const Reader& reader);
  void Take(const TaskQueue::Event& event);
  // Gives the packets that have ended; false: nobody reads on.
  bool Give(bool all, const Reader& reader);
  bool is_enough() const { return max_packets_ > 0 && summary_.packets() >= max_packets_; }
  v1::PathSummary Summary() const;
  void Note(const std::string& text);

  const absl::Duration limit_;
  const uint64_t max_packets_;
  const bool summary_only_;
  std::unique_ptr<TaskRun> run_;
  std::vector<TaskHub::Attendant> agents_;
  HostNames hosts_;
  model::JourneyTable journeys_;
  model::PathSummary summary_;
  // Of each agent: how much later its clock is than ours, 0 where it did not say, and since when by
  // its own what it saw counts: what passed before all had begun would seem to go astray.
  struct Begin {
    int64_t later_ns = 0;
    int64_t since_ns = 0;
  };
  bool have_all_begun_ = false;
  std::map<size_t, Begin> begins_;
  std::map<size_t, v1::PathHops> last_;  // of each agent, for what it lost
  std::vector<std::string> notes_;
  std::set<std::string> noted_;
  bool is_partial_ = false;
};

}  // namespace kindling::controller
