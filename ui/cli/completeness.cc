#include "ui/cli/completeness.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <vector>

#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "kindling/v1/query.pb.h"
#include "ui/cli/format.h"
#include "ui/cli/text.h"

namespace kindling::ui {
namespace {

// Rounded down, so that what is incomplete never shows as 100 %.
std::string CapturedShare(double fraction) {
  const double percent = fraction * 100;
  if (percent >= 99.9) {
    return absl::StrFormat("%.3f", std::min(99.999, std::floor(percent * 1000) / 1000));
  }
  return absl::StrFormat("%.1f", std::floor(percent * 10) / 10);
}

// One stage over all hosts.
std::string DescribeStage(const std::string& stage, const v1::StageLoss& loss) {
  std::string text = CleanText(stage);
  if (stage == "damaged_block") return text + " " + Plural(loss.events(), "block");
  if (stage == "agent_silent") return text + " " + Plural(loss.events(), "agent");
  if (stage == "views_differ") return text + " " + Plural(loss.events(), "request");
  if (loss.requests() > 0) return text + " " + FormatCount(loss.requests());
  if (loss.events() > 0) return text + " " + Plural(loss.events(), "event");
  if (loss.bytes() > 0) return text + " " + Plural(loss.bytes(), "byte");
  return text;
}

// "13 requests lost", "13 requests and 7 other records lost", "at least 7 records lost".
std::string DescribeLost(const v1::Completeness& completeness) {
  const double other = completeness.lost_other();
  if (other == 0) return Plural(completeness.lost(), "request") + " lost";
  if (completeness.lost() == 0) return "at least " + Plural(other, "record") + " lost";
  return Plural(completeness.lost(), "request") + " and " + Plural(other, "other record") + " lost";
}

}  // namespace

bool IsPartial(const v1::Completeness& completeness) {
  // Not set at all reads as fraction 0 with nothing lost: an answer without requests.
  return completeness.lost() > 0 || completeness.lost_other() > 0 ||
         completeness.notes_size() > 0 ||
         (completeness.fraction() < 1 && completeness.captured() > 0);
}

std::string DescribeCompleteness(const v1::Completeness& completeness, const Style& style) {
  std::string out;
  std::map<std::string, v1::StageLoss> stages;
  for (const v1::StageLoss& loss : completeness.by_stage()) {
    v1::StageLoss& sum = stages[loss.stage()];
    sum.set_requests(sum.requests() + loss.requests());
    sum.set_events(sum.events() + loss.events());
    sum.set_bytes(sum.bytes() + loss.bytes());
  }
  std::vector<std::string> parts;
  for (const auto& [stage, loss] : stages) parts.push_back(DescribeStage(stage, loss));
  const std::string where = parts.empty() ? "" : ": " + absl::StrJoin(parts, ", ");
  const bool is_lossy = completeness.lost() > 0 || completeness.lost_other() > 0 ||
                        (completeness.fraction() < 1 && completeness.captured() > 0);
  if (is_lossy) {
    const std::string share = completeness.captured() == 0
                                  ? "nothing captured"
                                  : CapturedShare(completeness.fraction()) + " % captured";
    out += style.Paint(Tone::kWarning,
                       absl::StrFormat("%s, %s%s", share, DescribeLost(completeness), where));
  } else {
    // Losses that are no requests, such as events of connections without a parser.
    out += parts.empty() ? style.Paint(Tone::kDim, "complete")
                         : "every request captured; lost otherwise" + where;
  }
  out += "\n";
  for (const std::string& note : completeness.notes()) {
    out += style.Paint(Tone::kWarning, "note: " + CleanText(note)) + "\n";
  }
  return out;
}

}  // namespace kindling::ui
