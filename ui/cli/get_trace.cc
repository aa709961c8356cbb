#include <algorithm>
#include <map>
#include <set>
#include <utility>
#include <vector>

#include "absl/strings/str_format.h"
#include "base/status_macros.h"
#include "kindling/v1/query.pb.h"
#include "ui/cli/commands.h"
#include "ui/cli/completeness.h"
#include "ui/cli/format.h"
#include "ui/cli/session.h"
#include "ui/cli/table.h"
#include "ui/cli/text.h"

namespace kindling::ui {
namespace {

// Levels that are drawn; deeper ones stand at the last of them.
constexpr size_t kMaxDepth = 32;

// The spans of a trace as a tree: each below its parent, those without one at the top.
class Tree {
 public:
  Tree(const v1::GetTraceResponse& trace, const Session& session)
      : trace_(trace), session_(session) {
    std::set<std::string> ids;
    for (const v1::Span& span : trace.spans()) ids.insert(span.id());
    for (int i = 0; i < trace.spans_size(); ++i) {
      const v1::Span& span = trace.spans(i);
      const bool has_parent = span.parent_id() != span.id() && ids.contains(span.parent_id());
      children_[has_parent ? span.parent_id() : ""].push_back(i);
    }
  }

  Table Draw() {
    std::vector<Column> columns = {{.name = "START", .right = true},
                                   {.name = "TOOK", .right = true},
                                   {.name = "REQUEST", .flexible = 24},
                                   {.name = "STATUS"},
                                   {.name = "SIDE"},
                                   {.name = "SPAN"}};
    Table table(std::move(columns));
    Below("", 0, table);
    // Parents in a circle have nobody above them.
    for (int i = 0; i < trace_.spans_size(); ++i) {
      if (!drawn_.contains(i)) Row(i, 0, table);
    }
    return table;
  }

 private:
  void Below(const std::string& parent, size_t depth, Table& table) {
    const auto found = children_.find(parent);
    if (found == children_.end()) return;
    for (const int child : found->second) Row(child, depth, table);
  }

  void Row(int index, size_t depth, Table& table) {
    if (!drawn_.insert(index).second) return;
    const v1::Span& span = trace_.spans(index);
    const bool is_error = span.outcome() != "ok" && !span.outcome().empty();
    std::string status = span.status_code().empty() ? span.outcome() : span.status_code();
    if (span.slow()) status += " slow";
    const double after_ms = static_cast<double>(span.start_ns() - trace_.spans(0).start_ns()) / 1e6;
    const std::string branch = session_.style().unicode ? "\xe2\x94\x94 " : "\\ ";
    const std::string indent =
        depth == 0 ? "" : std::string(2 * (std::min(depth, kMaxDepth) - 1), ' ') + branch;
    table.AddRow({{after_ms == 0 ? "0ms" : FormatMs(after_ms)},
                  {FormatMs(span.duration_ms())},
                  {indent + span.client() + " > " + span.server() + "  " + span.endpoint()},
                  {status, is_error ? Tone::kBad : (span.slow() ? Tone::kWarning : Tone::kPlain)},
                  {span.side()},
                  {span.id()}});
    Below(span.id(), depth + 1, table);
  }

  const v1::GetTraceResponse& trace_;
  const Session& session_;
  std::map<std::string, std::vector<int>> children_;  // by parent; "": of none that is there
  std::set<int> drawn_;
};

absl::StatusOr<ExitCode> Run(Session& session) {
  const std::string& id = session.arguments()[0];
  const bool is_hex = id.find_first_not_of("0123456789abcdefABCDEF") == std::string::npos;
  if ((id.size() != 16 && id.size() != 32) || !is_hex) {
    return absl::InvalidArgumentError(
        absl::StrFormat("\"%s\" is no id: 32 hexadecimal digits of a trace, or 16 of a span", id));
  }
  v1::GetTraceRequest request;
  request.set_id(id);
  v1::GetTraceResponse response;
  RETURN_IF_ERROR(session.Ask(request, &response));
  ASSIGN_OR_RETURN(const bool is_printed, session.PrintMessage(response));
  if (is_printed) {
    return IsPartial(response.completeness()) ? ExitCode::kPartial : ExitCode::kOk;
  }
  if (!response.spans().empty()) {
    session.out() << Plural(response.spans_size(), "span") << ", the first at "
                  << FormatTimeExact(response.spans(0).start_ns(), session.globals().zone) << "\n"
                  << Tree(response, session).Draw().Render(session.style(), session.width());
  }
  return session.PrintCompleteness(response.completeness());
}

}  // namespace

Command GetTraceCommand() {
  return {
      .name = "get trace",
      .arguments = "ID",
      .summary = "the requests that belong together",
      .details =
          "ID is a trace of Kindling's, one that another tracer put into the requests "
          "(traceparent, B3, sw8), or a span: then its parents, its children and its neighbours "
          "in their trace are shown. START counts from the first one. Spans are a sample of "
          "the requests; one that was not kept leaves a gap.",
      .formats = {"table", "wide", "json", "yaml"},
      .least_arguments = 1,
      .most_arguments = 1,
      .examples = {{"kindlingctl get trace 0192f3a1b2c3d4e5", "around one span"},
                   {"kindlingctl get trace 4bf92f3577b34da6a3ce929d0e0e4736",
                    "a traceparent's trace"}},
      .run = Run};
}

}  // namespace kindling::ui
