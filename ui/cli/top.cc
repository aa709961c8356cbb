#include <algorithm>
#include <charconv>
#include <utility>
#include <vector>

#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "base/status_macros.h"
#include "base/units.h"
#include "kindling/v1/query.pb.h"
#include "ui/cli/commands.h"
#include "ui/cli/completeness.h"
#include "ui/cli/format.h"
#include "ui/cli/rows.h"
#include "ui/cli/session.h"
#include "ui/cli/table.h"
#include "ui/cli/text.h"

namespace kindling::ui {
namespace {

// Agents report whole windows of 10 s; the newest one is complete a moment after its end.
constexpr int64_t kReportNs = 10'000'000'000;
constexpr int64_t kReportDelayNs = 2'000'000'000;
constexpr int64_t kDefaultWindowNs = 60'000'000'000;
constexpr int64_t kDefaultIntervalNs = 2'000'000'000;
constexpr int64_t kLongestNs = 24LL * 3600 * 1'000'000'000;
// Rows of a frame that are not edges: the heading, the table's heading, the line below, the keys.
constexpr size_t kFrameRows = 5;
constexpr char kCtrlC = 3;

struct SortKey {
  char key;
  const char* name;
  double (*value)(const v1::Edge& edge);
};

constexpr SortKey kSortKeys[] = {
    {'r', "rate", [](const v1::Edge& e) { return e.request_count(); }},
    {'l', "latency", [](const v1::Edge& e) { return e.p95_ms(); }},
    {'e', "errors", [](const v1::Edge& e) { return e.error_count(); }},
    {'b', "bytes", [](const v1::Edge& e) { return e.bytes_sent() + e.bytes_received(); }},
};

std::vector<std::string> SortNames() {
  std::vector<std::string> names;
  for (const SortKey& key : kSortKeys) names.emplace_back(key.name);
  return names;
}

absl::StatusOr<int64_t> DurationOption(const Session& session, const char* name, int64_t fallback) {
  const auto text = session.args().value(name);
  if (!text) return fallback;
  const auto ns = base::ParseDurationNs(*text);
  if (!ns || *ns == 0 || *ns > kLongestNs) {
    return absl::InvalidArgumentError(
        absl::StrFormat("--%s: \"%s\" is no duration up to 24h; write 2s", name, *text));
  }
  return *ns;
}

// A live list of edges.
class Top {
 public:
  // `terminal` is null where frames are only printed.
  Top(Session& session, int64_t window_ns, const SortKey* sort, const Terminal* terminal)
      : session_(session), window_ns_(window_ns), sort_(sort), terminal_(terminal) {}

  absl::StatusOr<std::string> Frame() {
    // Whole windows only, so that the rate does not waver.
    const int64_t end_ns = (session_.now_ns() - kReportDelayNs) / kReportNs * kReportNs;
    v1::ListEdgesRequest request;
    request.mutable_time()->set_start_ns(std::max<int64_t>(0, end_ns - window_ns_));
    request.mutable_time()->set_end_ns(end_ns);
    request.set_filter(session_.globals().filter);
    v1::ListEdgesResponse response;
    RETURN_IF_ERROR(session_.Ask(request, &response));
    is_partial_ = IsPartial(response.completeness());
    // What is younger than the window is divided by its own age.
    counted_ns_ = response.covered().end_ns() - response.covered().start_ns();
    if (counted_ns_ <= 0) counted_ns_ = window_ns_;

    std::string frame = Heading(response, end_ns);
    std::vector<const v1::Edge*> edges;
    for (const v1::Edge& edge : response.edges()) edges.push_back(&edge);
    std::stable_sort(edges.begin(), edges.end(), [this](const v1::Edge* a, const v1::Edge* b) {
      return sort_->value(*a) > sort_->value(*b);
    });
    const size_t all = edges.size();
    edges.resize(std::min(all, RowLimit()));
    frame += MakeTable(edges).Render(session_.style(), Columns());
    if (edges.size() < all) frame += absl::StrFormat("and %d more\n", all - edges.size());
    frame += DescribeCompleteness(response.completeness(), session_.style());
    return frame;
  }

  // False: stop.
  bool HandleKey(char key) {
    if (key == 'q' || key == kCtrlC) return false;
    for (const SortKey& sort : kSortKeys) {
      if (sort.key == key) sort_ = &sort;
    }
    return true;
  }

  bool is_partial() const { return is_partial_; }

 private:
  std::string Heading(const v1::ListEdgesResponse& response, int64_t end_ns) const {
    double requests = 0, errors = 0;
    for (const v1::Edge& edge : response.edges()) {
      requests += edge.request_count();
      errors += edge.error_count();
    }
    return absl::StrFormat("%s, over %s: %s, %s requests/s, %s errors/s, by %s\n",
                           FormatTime(end_ns, session_.globals().zone).substr(0, 19),
                           base::FormatDurationNs(Seconds() * 1e9),
                           Plural(response.edges_size(), "edge"), FormatRate(requests / Seconds()),
                           FormatRate(errors / Seconds()), sort_->name);
  }

  Table MakeTable(const std::vector<const v1::Edge*>& edges) const {
    Table table({{.name = "CLIENT", .flexible = 8},
                 {.name = "SERVER", .flexible = 8},
                 {.name = "PROTOCOL"},
                 {.name = "REQ/S", .right = true},
                 {.name = "ERR", .right = true},
                 {.name = "P50", .right = true},
                 {.name = "P95", .right = true},
                 {.name = "P99", .right = true},
                 {.name = "BYTES/S", .right = true}});
    for (const v1::Edge* edge : edges) {
      const double share =
          edge->request_count() > 0 ? edge->error_count() / edge->request_count() : 0;
      table.AddRow(
          {{edge->client()},
           {edge->server()},
           {FormatProtocol(edge->protocol(), edge->transport())},
           {FormatRate(edge->request_count() / Seconds())},
           {FormatPercent(share), share > 0 ? Tone::kBad : Tone::kPlain},
           {FormatMs(edge->p50_ms())},
           {FormatMs(edge->p95_ms())},
           {FormatMs(edge->p99_ms())},
           {base::FormatBytes((edge->bytes_sent() + edge->bytes_received()) / Seconds())}});
    }
    return table;
  }

  double Seconds() const { return static_cast<double>(counted_ns_) / 1e9; }

  size_t RowLimit() const {
    if (session_.globals().limit > 0) return session_.globals().limit;
    if (terminal_ == nullptr || terminal_->rows() <= 0) return SIZE_MAX;
    const auto rows = static_cast<size_t>(terminal_->rows());
    return rows > kFrameRows ? rows - kFrameRows : 1;
  }
  size_t Columns() const {
    return terminal_ == nullptr ? session_.width() : static_cast<size_t>(terminal_->columns());
  }

  Session& session_;
  const int64_t window_ns_;
  const SortKey* sort_;
  const Terminal* const terminal_;
  int64_t counted_ns_ = 0;  // the part of the window that was watched
  bool is_partial_ = false;
};

// Paints frame after frame over the last one until a key ends it.
absl::StatusOr<ExitCode> RunLive(Session& session, Top& top, Terminal& terminal,
                                 int64_t interval_ns) {
  while (true) {
    absl::StatusOr<std::string> frame = top.Frame();
    // A controller that is away for a moment does not end a live view; a wrong filter does.
    if (!frame.ok() && !absl::IsUnavailable(frame.status()) &&
        !absl::IsDeadlineExceeded(frame.status())) {
      return frame.status();
    }
    const std::string text =
        frame.ok() ? *frame : CleanText(std::string(frame.status().message())) + "\n";
    // Home, each line cleared to its end, then everything below.
    session.out() << "\x1b[H";
    for (const char c : text) {
      if (c == '\n')
        session.out() << "\x1b[K\r\n";
      else
        session.out() << c;
    }
    session.out() << session.style().Paint(Tone::kDim,
                                           "sort by r rate, l latency, e errors, b bytes; q ends")
                  << "\x1b[K\x1b[J" << std::flush;
    if (const auto key = terminal.ReadKey(absl::Nanoseconds(interval_ns));
        key && !top.HandleKey(*key)) {
      return top.is_partial() ? ExitCode::kPartial : ExitCode::kOk;
    }
  }
}

absl::StatusOr<ExitCode> Run(Session& session) {
  ASSIGN_OR_RETURN(const int64_t interval_ns,
                   DurationOption(session, "interval", kDefaultIntervalNs));
  ASSIGN_OR_RETURN(int64_t window_ns, DurationOption(session, "window", kDefaultWindowNs));
  window_ns = std::max<int64_t>(1, window_ns / kReportNs) * kReportNs;
  const std::string sort_name = session.args().value("sort").value_or("rate");
  const SortKey* sort = std::find_if(std::begin(kSortKeys), std::end(kSortKeys),
                                     [&](const SortKey& key) { return sort_name == key.name; });
  size_t count = 0;  // 0: until interrupted
  if (session.args().has("once")) count = 1;
  if (const auto text = session.args().value("count")) {
    const char* end = text->data() + text->size();
    const auto [stop, error] = std::from_chars(text->data(), end, count);
    if (error != std::errc() || stop != end || count == 0) {
      return absl::InvalidArgumentError(
          absl::StrFormat("--count: \"%s\" is no number from 1 on", *text));
    }
  }
  if (count == 0 && session.environment().open_terminal) {
    const std::unique_ptr<Terminal> terminal = session.environment().open_terminal();
    Top top(session, window_ns, sort, terminal.get());
    return RunLive(session, top, *terminal, interval_ns);
  }
  Top top(session, window_ns, sort, nullptr);
  for (size_t i = 0;; ++i) {
    ASSIGN_OR_RETURN(const std::string frame, top.Frame());
    session.out() << (i > 0 ? "\n" : "") << frame << std::flush;
    const bool is_done = (count > 0 && i + 1 == count) || !session.out();
    if (is_done) return top.is_partial() ? ExitCode::kPartial : ExitCode::kOk;
    absl::SleepFor(absl::Nanoseconds(interval_ns));
  }
}

}  // namespace

Command TopCommand() {
  return {.name = "top",
          .summary = "the busiest, slowest or most failing edges, live",
          .details =
              "Refreshes every 2 s on a terminal; r, l, e, b change the order and q ends it. "
              "Elsewhere it prints frame after frame, each followed by an empty line. Agents "
              "report every 10 s, so rates are over whole 10 s windows, and over less than "
              "--window while nobody has watched for so long.",
          .options = {{.name = "sort",
                       .value = "KEY",
                       .help = "order (default rate)",
                       .choices = SortNames()},
                      {.name = "window",
                       .value = "DURATION",
                       .help = "count over this much time (default 1m)"},
                      {.name = "interval", .value = "DURATION", .help = "refresh (default 2s)"},
                      {.name = "count", .value = "N", .help = "print N frames and end"},
                      {.name = "once", .help = "print one frame and end"}},
          .takes_filter = true,
          .takes_limit = true,
          .examples = {{"kindlingctl top", "live, by rate"},
                       {"kindlingctl top --sort latency -f 'protocol=mysql'", "slow databases"},
                       {"kindlingctl top --once --limit 5", "one frame, for a script"}},
          .run = Run};
}

}  // namespace kindling::ui
