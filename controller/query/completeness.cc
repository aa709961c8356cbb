#include "controller/query/completeness.h"

#include "absl/strings/str_format.h"
#include "absl/time/time.h"
#include "kindling/v1/query.pb.h"

namespace kindling::controller {
namespace {

// Agents report every few seconds; younger silence is none.
constexpr int64_t kSilentAfterNs = int64_t{20} * 1'000'000'000;
// Agents that left longer before the range began are taken to have been removed.
constexpr int64_t kForgottenAfterNs = int64_t{24} * 3600 * 1'000'000'000;
// Stage of what the rows of the edges themselves count as lost.
constexpr char kEdgeStage[] = "edge";

}  // namespace

void CompletenessSum::AddEdges(const std::vector<MapEdge>& edges) {
  for (const MapEdge& edge : edges) {
    captured_ += edge.shown().requests;
    const uint64_t lost = edge.shown().lost;
    if (lost == 0) continue;
    lost_ += lost;
    by_stage_[{kEdgeStage, ""}].requests += lost;
  }
}

void CompletenessSum::AddLoss(const model::Loss& loss) {
  lost_ += loss.requests;
  Sum& sum = by_stage_[{std::string(Name(loss.stage)), loss.host}];
  sum.requests += loss.requests;
  sum.events += loss.events;
  sum.bytes += loss.bytes;
}

void CompletenessSum::AddReport(const storage::ScanReport& report) {
  notes_.insert(notes_.end(), report.notes.begin(), report.notes.end());
  if (report.damaged_blocks > report.notes.size()) {
    notes_.push_back(absl::StrFormat("The store could not read %d more blocks.",
                                     report.damaged_blocks - report.notes.size()));
  }
}

void CompletenessSum::AddAgents(const std::vector<AgentInfo>& agents, const Range& range) {
  for (const AgentInfo& agent : agents) {
    if (agent.replay || agent.last_seen_ns >= range.end_ns - kSilentAfterNs) continue;
    if (agent.last_seen_ns < range.start_ns - kForgottenAfterNs) continue;
    notes_.push_back(absl::StrFormat(
        "Agent %s on host %s has been silent since %s: what happened there after that is missing.",
        agent.id, agent.host,
        absl::FormatTime("%Y-%m-%d %H:%M:%S UTC", absl::FromUnixNanos(agent.last_seen_ns),
                         absl::UTCTimeZone())));
  }
}

void CompletenessSum::WriteTo(v1::Completeness* out) const {
  const auto captured = static_cast<double>(captured_);
  const auto lost = static_cast<double>(lost_);
  out->set_captured(captured);
  out->set_lost(lost);
  out->set_fraction(captured + lost > 0 ? captured / (captured + lost) : 1);
  for (const auto& [key, sum] : by_stage_) {
    v1::StageLoss* stage = out->add_by_stage();
    stage->set_stage(key.first);
    stage->set_host(key.second);
    stage->set_requests(static_cast<double>(sum.requests));
    stage->set_events(static_cast<double>(sum.events));
    stage->set_bytes(static_cast<double>(sum.bytes));
  }
  for (const std::string& note : notes_) out->add_notes(note);
}

}  // namespace kindling::controller
