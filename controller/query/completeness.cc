#include "controller/query/completeness.h"

#include <algorithm>

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
// Of what is missing in other ways.
constexpr char kDamagedStage[] = "damaged_block";
constexpr char kViewsDifferStage[] = "views_differ";

}  // namespace

void CompletenessSum::AddCaptured(const std::vector<MapEdge>& edges) {
  for (const MapEdge& edge : edges) captured_ += edge.counted().requests;
}

void CompletenessSum::AddMissing(const std::vector<MapEdge>& edges) {
  uint64_t lost = 0;
  uint64_t unexplained = 0;
  for (const MapEdge& edge : edges) {
    lost += edge.counted().lost;
    unexplained += edge.unexplained;
  }
  AddLost(lost);
  lost_other_ += unexplained;
  if (unexplained == 0) return;
  by_stage_[{kViewsDifferStage, ""}].events += unexplained;
  notes_.push_back(absl::StrFormat(
      "One end of an edge saw %d requests that the other neither saw nor knows to have lost: the "
      "notes of the edges say where.",
      unexplained));
}

void CompletenessSum::AddLost(uint64_t requests) {
  lost_ += requests;
  if (requests > 0) by_stage_[{kEdgeStage, ""}].requests += requests;
}

void CompletenessSum::AddLoss(const model::Loss& loss) {
  lost_ += loss.requests;
  Sum& sum = StageOf(loss);
  sum.requests += loss.requests;
  sum.events += loss.events;
  sum.bytes += loss.bytes;
  switch (loss.stage) {
    case model::LossStage::kKernelRing:
    case model::LossStage::kByteGap:
    case model::LossStage::kParserResync:
      // The edges have the estimate of what these would have been.
      is_missing_some_ = true;
      return;
    default:
      is_missing_some_ |= loss.requests == 0;
      lost_other_ += loss.events - std::min(loss.events, loss.requests);
  }
}

void CompletenessSum::AddProcessLoss(const model::Loss& loss) {
  switch (loss.stage) {
    case model::LossStage::kByteGap:
    case model::LossStage::kParserResync:
      return;
    case model::LossStage::kKernelRing:
      is_missing_some_ = true;
      break;
    default: {
      const uint64_t others = loss.events - std::min(loss.events, loss.requests);
      if (others == 0 && loss.requests > 0) return;
      is_missing_some_ = true;
      lost_other_ += others;
    }
  }
  Sum& sum = StageOf(loss);
  sum.events += loss.events;
  sum.bytes += loss.bytes;
}

void CompletenessSum::AddReport(const storage::ScanReport& report) {
  if (report.damaged_blocks == 0) return;
  by_stage_[{kDamagedStage, ""}].events += report.damaged_blocks;
  lost_other_ += report.damaged_rows;
  is_missing_some_ = true;
  notes_.insert(notes_.end(), report.notes.begin(), report.notes.end());
  if (report.damaged_blocks > report.notes.size()) {
    notes_.push_back(absl::StrFormat("The store could not read %d more blocks.",
                                     report.damaged_blocks - report.notes.size()));
  }
}

void CompletenessSum::AddAgents(const std::vector<AgentInfo>& agents, const Range& range,
                                const std::function<bool(const std::string& host)>& concerns) {
  for (const AgentInfo& agent : agents) {
    if (agent.replay || agent.last_seen_ns >= range.end_ns - kSilentAfterNs) continue;
    if (agent.last_seen_ns < range.start_ns - kForgottenAfterNs || !concerns(agent.host)) continue;
    AddSilentAgent(
        agent.host,
        absl::StrFormat(
            "Agent %s on host %s has been silent since %s: what happened there after "
            "that is missing.",
            agent.id, agent.host,
            absl::FormatTime("%Y-%m-%d %H:%M:%S UTC", absl::FromUnixNanos(agent.last_seen_ns),
                             absl::UTCTimeZone())));
  }
}

void CompletenessSum::AddSilentAgent(const std::string& host, std::string note) {
  ++by_stage_[{std::string(Name(model::LossStage::kAgentSilent)), host}].events;
  is_missing_some_ = true;
  notes_.push_back(std::move(note));
}

void CompletenessSum::WriteTo(v1::Completeness* out) const {
  const auto captured = static_cast<double>(captured_);
  const auto lost = static_cast<double>(lost_);
  const bool is_counted = lost_ > 0 || lost_other_ > 0;
  const double other = is_missing_some_ && !is_counted ? 1.0 : static_cast<double>(lost_other_);
  out->set_captured(captured);
  out->set_lost(lost);
  out->set_lost_other(other);
  const double all = captured + lost + other;
  out->set_fraction(all > 0 ? captured / all : 1);
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
