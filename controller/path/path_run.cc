#include "controller/path/path_run.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "base/status_macros.h"

namespace kindling::controller {
namespace {

constexpr absl::Duration kStep = absl::Milliseconds(100);
// Beyond the agents' own limit: for what they still have to say.
constexpr absl::Duration kGrace = absl::Seconds(3);
// Programs are loaded in a second or so, where a machine is busy in several.
constexpr absl::Duration kBeginWithin = absl::Seconds(20);
// A message's way makes clocks seem earlier than they are; it is shorter than this.
constexpr int64_t kTransitNs = 20'000'000;

absl::Duration LimitOf(const v1::TracePathRequest& request) {
  return request.limit_ms() == 0
             ? PathRun::kDefaultLimit
             : std::min(absl::Milliseconds(request.limit_ms()), absl::Duration(PathRun::kMaxLimit));
}

}  // namespace

PathRun::PathRun(const v1::TracePathRequest& request)
    : limit_(LimitOf(request)),
      max_packets_(request.max_packets()),
      summary_only_(request.summary_only()) {}

absl::StatusOr<std::unique_ptr<PathRun>> PathRun::Start(TaskHub& hub,
                                                        const v1::TracePathRequest& request,
                                                        const v1::TracePathTask& task) {
  std::unique_ptr<PathRun> path(new PathRun(request));
  google::protobuf::Any any;
  any.PackFrom(task);
  std::vector<TaskHub::Assignment> assignments;
  for (TaskHub::Attendant& agent : hub.attendants()) {
    if (std::ranges::find(agent.tasks, v1::TracePathTask::descriptor()->full_name()) ==
        agent.tasks.end()) {
      path->Note(
          absl::StrFormat("agent %s on host %s follows no packets: it is older, or its "
                          "configuration disables path_trace",
                          agent.agent_id, agent.host));
      continue;
    }
    assignments.push_back({.agent_id = agent.agent_id, .task = any});
    path->hosts_[agent.agent_id] = agent.host;
    path->agents_.push_back(std::move(agent));
  }
  if (assignments.empty()) {
    return absl::FailedPreconditionError(
        "no agent that follows packets is connected; \"kindlingctl get agents\" lists agents");
  }
  ASSIGN_OR_RETURN(path->run_, hub.Start(assignments, kBeginWithin + path->limit_ + kGrace));
  return path;
}

void PathRun::Tell(v1::PathBegun begun, const Reader& reader) {
  std::set<std::string> hosts;
  for (const auto& [agent, host] : hosts_) hosts.insert(host);
  begun.mutable_hosts()->Assign(hosts.begin(), hosts.end());
  if (!AwaitBegin(reader)) return;
  v1::TracePathResponse response;
  *response.mutable_begun() = std::move(begun);
  if (!reader.write(response)) return;
  const absl::Time over = absl::Now() + limit_;
  absl::Time deadline = over + kGrace;
  bool is_stopping = false;
  while (!run_->done() && absl::Now() < deadline) {
    if (reader.cancelled()) return;
    if (!is_stopping && (is_enough() || absl::Now() >= over)) {
      is_stopping = true;
      run_->Stop();
      deadline = absl::Now() + kGrace;
    }
    const absl::Time until = std::min(deadline, absl::Now() + kStep);
    while (absl::Now() < until) {
      const auto event = run_->Next(until);
      if (!event.has_value()) break;
      Take(*event);
    }
    if (!Give(false, reader)) return;
  }
  if (!run_->done()) {
    is_partial_ = true;
    Note("an agent did not end in time: what it still had is missing");
  }
  if (!Give(true, reader)) return;
  response.Clear();
  *response.mutable_summary() = Summary();
  reader.write(response);
}

bool PathRun::AwaitBegin(const Reader& reader) {
  const absl::Time deadline = absl::Now() + kBeginWithin;
  std::set<size_t> begun;
  while (begun.size() < agents_.size() && absl::Now() < deadline && !run_->done()) {
    if (reader.cancelled()) return false;
    const auto event = run_->Next(std::min(deadline, absl::Now() + kStep));
    if (!event.has_value()) continue;
    begun.insert(event->agent);
    Take(*event);
  }
  have_all_begun_ = true;
  const int64_t now_ns = absl::GetCurrentTimeNanos();
  for (auto& [agent, begin] : begins_) begin.since_ns = now_ns + begin.later_ns + kTransitNs;
  // Whoever sends when told that packets are followed has them followed.
  absl::SleepFor(absl::Nanoseconds(2 * kTransitNs));
  return true;
}

void PathRun::Take(const TaskQueue::Event& event) {
  const TaskHub::Attendant& agent = agents_[event.agent];
  if (!event.output.has_value()) {
    if (event.end.ok()) return;
    is_partial_ = true;
    Note(absl::StrFormat("agent %s on host %s: %s", agent.agent_id, agent.host,
                         std::string(event.end.message())));
    return;
  }
  v1::PathHops hops;
  if (!event.output->UnpackTo(&hops)) {
    is_partial_ = true;
    Note(absl::StrFormat("agent %s says something else than hops", agent.agent_id));
    return;
  }
  for (const std::string& text : hops.not_seen()) {
    Note(absl::StrFormat("host %s, %s", agent.host, text));
  }
  const int64_t now_ns = absl::GetCurrentTimeNanos();
  if (hops.began_ns() != 0) {
    begins_[event.agent] = {.later_ns = hops.began_ns() - now_ns,
                            .since_ns = have_all_begun_ ? 0 : INT64_MAX};
  }
  const auto begin = begins_.find(event.agent);
  const int64_t since_ns = begin == begins_.end() ? 0 : begin->second.since_ns;
  for (const v1::TracedHop& hop : hops.hops()) {
    if (hop.wall_ns() < since_ns) continue;
    journeys_.Add(FromProto(hop, agent.agent_id), now_ns);
  }
  hops.clear_hops();
  // A message that is full has no counts yet.
  v1::PathHops& last = last_[event.agent];
  last.set_lost_hops(std::max(last.lost_hops(), hops.lost_hops()));
  last.set_packets_passed_over(std::max(last.packets_passed_over(), hops.packets_passed_over()));
  last.set_unread_packets(std::max(last.unread_packets(), hops.unread_packets()));
}

bool PathRun::Give(bool all, const Reader& reader) {
  for (const model::PathJourney& journey : journeys_.Take(absl::GetCurrentTimeNanos(), all)) {
    if (is_enough()) return true;
    summary_.Add(journey);
    if (summary_only_) continue;
    v1::TracePathResponse response;
    *response.mutable_packet() = ToProto(journey, hosts_);
    if (!reader.write(response)) return false;
  }
  return true;
}

v1::PathSummary PathRun::Summary() const {
  v1::PathSummary out = ToProto(summary_, hosts_);
  bool is_partial = is_partial_;
  for (const auto& [agent, last] : last_) {
    const std::string& host = agents_[agent].host;
    const auto tell = [&](double count, const char* what) {
      if (count == 0) return;
      is_partial = true;
      out.add_notes(absl::StrFormat("host %s: %.0f %s", host, count, what));
    };
    tell(last.lost_hops(), "hops found no room in the kernel's ring");
    tell(last.packets_passed_over(), "packets were beyond the rate and not followed");
    tell(last.unread_packets(), "times headers could not be read");
  }
  const model::JourneyTable::Counts& counts = journeys_.counts();
  if (counts.ended_early > 0) {
    is_partial = true;
    out.add_notes(absl::StrFormat("%d packets ended early: too many at once", counts.ended_early));
  }
  if (counts.late_hops > 0 && !is_enough()) {
    out.add_notes(absl::StrFormat("%d hops came after their packet was given", counts.late_hops));
  }
  if (hosts_.size() > 1) {
    out.add_notes("the clocks of hosts are not compared: times between two hosts tell nothing");
  }
  for (const std::string& note : notes_) out.add_notes(note);
  out.set_partial(is_partial);
  return out;
}

void PathRun::Note(const std::string& text) {
  if (notes_.size() < kMaxNotes && noted_.insert(text).second) notes_.push_back(text);
}

}  // namespace kindling::controller
