#include <algorithm>
#include <cmath>
#include <map>
#include <utility>
#include <vector>

#include "absl/strings/str_format.h"
#include "base/status_macros.h"
#include "base/units.h"
#include "kindling/v1/query.pb.h"
#include "ui/cli/commands.h"
#include "ui/cli/format.h"
#include "ui/cli/session.h"
#include "ui/cli/text.h"

namespace kindling::ui {
namespace {

constexpr int kBarColumns = 32;
constexpr size_t kIdDigits = 16;

// A bar of kBarColumns over 0..total_ms, filled from `start_ms` for `length_ms`: at least one
// column unless nothing took no time.
std::string Bar(double start_ms, double length_ms, double total_ms, const Style& style) {
  int first = 0, last = 0;  // [first, last)
  if (total_ms > 0 && length_ms > 0) {
    first = static_cast<int>(std::floor(start_ms / total_ms * kBarColumns));
    last = static_cast<int>(std::round((start_ms + length_ms) / total_ms * kBarColumns));
    first = std::clamp(first, 0, kBarColumns - 1);
    last = std::clamp(last, first + 1, kBarColumns);
  }
  std::string bar;
  for (int i = 0; i < kBarColumns; ++i) {
    const bool is_filled = first <= i && i < last;
    bar += style.unicode ? (is_filled ? "\xe2\x96\x88" : "\xc2\xb7") : (is_filled ? "#" : ".");
  }
  return bar;
}

std::string Share(double part, double whole) {
  return whole > 0 ? absl::StrFormat("%3.0f%%", part / whole * 100) : "   -";
}

class Description {
 public:
  Description(const v1::Span& span, const Session& session) : span_(span), session_(session) {}

  std::string Write() {
    Heading();
    Ends();
    Times();
    Breakdown();
    Blame();
    Attributes();
    return std::move(out_);
  }

 private:
  void Line(const std::string& name, const std::string& value, Tone tone = Tone::kPlain) {
    if (value.empty()) return;
    out_ += absl::StrFormat("  %-12s%s\n", name, session_.style().Paint(tone, CleanText(value)));
  }
  void Title(const std::string& title) {
    out_ += "\n" + session_.style().Paint(Tone::kBold, title) + "\n";
  }

  void Heading() {
    out_ += session_.style().Paint(
                Tone::kBold, CleanText(FormatProtocol(span_.protocol(), span_.transport()) + "  " +
                                       span_.endpoint())) +
            "\n";
    const bool is_error = span_.outcome() != "ok" && !span_.outcome().empty();
    Line("status",
         span_.status_code() + (span_.status_code().empty() ? "" : ", ") + span_.outcome() +
             (span_.slow() ? ", slow" : ""),
         is_error ? Tone::kBad : (span_.slow() ? Tone::kWarning : Tone::kPlain));
    Line("span", span_.id());
    if (span_.trace_id().find_first_not_of('0') != std::string::npos) {
      Line("trace", span_.trace_id());
    }
    if (span_.parent_id().find_first_not_of('0') != std::string::npos) {
      Line("parent", span_.parent_id());
    }
  }

  void Ends() {
    Title("Ends");
    const auto end = [](const std::string& name, const std::string& address) {
      return address.empty() || address == name ? name : name + " at " + address;
    };
    Line("client", end(span_.client(), span_.client_address()));
    Line("server", end(span_.server(), span_.server_address()));
    std::string observer = "the " + span_.side() + "'s side";
    if (!span_.host().empty()) observer += ", on " + span_.host();
    if (span_.pid() != 0) observer += absl::StrFormat(", pid %d", span_.pid());
    if (span_.request_tid() != 0) {
      observer += absl::StrFormat(", thread %d", span_.request_tid());
      if (span_.response_tid() != 0 && span_.response_tid() != span_.request_tid()) {
        observer += absl::StrFormat(" then %d", span_.response_tid());
      }
    }
    Line("seen on", observer);
    if (span_.sample_weight() > 1) {
      Line("stands for", FormatRate(span_.sample_weight()) + " requests like it");
    }
  }

  void Times() {
    Title("Times");
    const auto end_ns = span_.start_ns() + std::llround(span_.duration_ms() * 1e6);
    Line("start", FormatTimeExact(span_.start_ns(), session_.globals().zone));
    Line("end", FormatTimeExact(end_ns, session_.globals().zone));
    Line("took", FormatMs(span_.duration_ms()));
    if (span_.connect_ms() > 0) Line("connect", FormatMs(span_.connect_ms()) + " before it");
    out_ += "\n";
  }

  void Part(const std::string& name, double start_ms, double length_ms, const std::string& size) {
    out_ += absl::StrFormat("  %-12s%s %s %7s  %s", name,
                            Bar(start_ms, length_ms, span_.duration_ms(), session_.style()),
                            Share(length_ms, span_.duration_ms()), FormatMs(length_ms), size);
    out_.erase(out_.find_last_not_of(' ') + 1);
    out_ += "\n";
  }

  void Breakdown() {
    Part("request", 0, span_.request_ms(), base::FormatBytes(span_.request_bytes()));
    Part("wait", span_.request_ms(), span_.wait_ms(), "");
    Part("response", span_.request_ms() + span_.wait_ms(), span_.response_ms(),
         base::FormatBytes(span_.response_bytes()));
  }

  void Blame() {
    if (span_.blame_ms().empty()) return;
    Title("Where the time went");
    std::vector<std::pair<std::string, double>> causes(span_.blame_ms().begin(),
                                                       span_.blame_ms().end());
    std::sort(causes.begin(), causes.end(), [](const auto& a, const auto& b) {
      return a.second != b.second ? a.second > b.second : a.first < b.first;
    });
    for (const auto& [cause, ms] : causes) Part(CleanText(cause), 0, ms, "");
  }

  void Attributes() {
    // In the order of their names.
    std::map<std::string, std::string> attributes(span_.attributes().begin(),
                                                  span_.attributes().end());
    if (span_.request_tcp_seq() != 0 || span_.response_tcp_seq() != 0) {
      attributes["tcp sequence"] = absl::StrFormat(
          "request %d, response %d", span_.request_tcp_seq(), span_.response_tcp_seq());
    }
    if (span_.stream_id() != 0) attributes["stream"] = std::to_string(span_.stream_id());
    if (attributes.empty()) return;
    Title("Attributes");
    size_t width = 0;
    for (const auto& [name, value] : attributes) width = std::max(width, CleanText(name).size());
    for (const auto& [name, value] : attributes) {
      out_ += absl::StrFormat("  %-*s  %s\n", static_cast<int>(width), CleanText(name),
                              CleanText(value));
    }
  }

  const v1::Span& span_;
  const Session& session_;
  std::string out_;
};

absl::StatusOr<ExitCode> Run(Session& session) {
  const std::string& id = session.arguments()[0];
  const bool is_hex = id.find_first_not_of("0123456789abcdefABCDEF") == std::string::npos;
  if (id.size() != kIdDigits || !is_hex) {
    return absl::InvalidArgumentError(absl::StrFormat(
        "\"%s\" is no span id: 16 hexadecimal digits, as \"kindlingctl get spans\" shows", id));
  }
  v1::GetSpanRequest request;
  request.set_id(id);
  v1::GetSpanResponse response;
  RETURN_IF_ERROR(session.Ask(request, &response));
  ASSIGN_OR_RETURN(const bool is_printed, session.PrintMessage(response));
  if (!is_printed) session.out() << Description(response.span(), session).Write();
  return ExitCode::kOk;
}

}  // namespace

Command DescribeSpanCommand() {
  return {.name = "describe span",
          .arguments = "ID",
          .summary = "one request in full",
          .details =
              "Both ends, its times, how long the request, the wait for the first byte of the "
              "response and the response took, and its attributes.",
          .formats = {"table", "json", "yaml"},
          .least_arguments = 1,
          .most_arguments = 1,
          .examples = {{"kindlingctl describe span 0192f3a1b2c3d4e5", "as text"},
                       {"kindlingctl describe span 0192f3a1b2c3d4e5 -o json", "for a program"}},
          .run = Run};
}

}  // namespace kindling::ui
