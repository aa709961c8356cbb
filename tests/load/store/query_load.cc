// query_load --address HOST:PORT --ca FILE --queries FILE
// Asks the QueryService one question after another, over one connection with TLS, and prints how
// long each answer took, by label, as JSON. A question is a line of fields with tabs between:
//     LABEL spans START_NS END_NS newest|slowest PAGE_SIZE FILTER
//     LABEL trace ID
//     LABEL edges START_NS END_NS FILTER
// Answers with an error are counted, with the first message, and their times left out.

#include <grpcpp/grpcpp.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <map>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_format.h"
#include "base/clock.h"
#include "kindling/v1/query.grpc.pb.h"
#include "tests/load/store/flags.h"

namespace {

using kindling::load::Flags;
namespace v1 = kindling::v1;

constexpr int kMaxAnswerBytes = 256 << 20;
constexpr std::chrono::seconds kPatience(120);

struct Times {
  std::vector<double> ms;
  uint64_t rows = 0;
  uint64_t empty = 0;  // answers
  uint64_t bytes = 0;
  uint64_t errors = 0;
  std::string error;  // the first
};

[[noreturn]] void Fail(const std::string& what) {
  std::fprintf(stderr, "query_load: %s\n", what.c_str());
  std::exit(1);
}

class Asker {
 public:
  Asker(const std::string& address, const std::string& ca) {
    std::ifstream in(ca);
    std::stringstream pem;
    pem << in.rdbuf();
    grpc::ChannelArguments arguments;
    arguments.SetMaxReceiveMessageSize(kMaxAnswerBytes);
    stub_ = v1::QueryService::NewStub(
        grpc::CreateCustomChannel(address,
                                  ca.empty() ? grpc::InsecureChannelCredentials()
                                             : grpc::SslCredentials({.pem_root_certs = pem.str()}),
                                  arguments));
  }

  // The connection is made by the first question, which nobody should time.
  void Greet() {
    v1::GetServerInfoResponse response;
    if (!Call(&v1::QueryService::Stub::GetServerInfo, v1::GetServerInfoRequest(), &response))
      Fail(error_);
  }

  void Ask(const std::vector<std::string>& fields, Times& times) {
    const std::string& kind = fields.at(1);
    const int64_t before_ns = kindling::base::SystemClock().BootNs();
    bool ok = true;
    size_t bytes = 0;
    uint64_t rows = 0;
    if (kind == "spans") {
      v1::ListSpansRequest request;
      SetTime(fields, request.mutable_time());
      request.set_order(fields.at(4) == "slowest" ? v1::ListSpansRequest::ORDER_SLOWEST
                                                  : v1::ListSpansRequest::ORDER_NEWEST);
      request.set_page_size(static_cast<uint32_t>(std::atoi(fields.at(5).c_str())));
      request.set_filter(fields.at(6));
      v1::ListSpansResponse response;
      ok = Call(&v1::QueryService::Stub::ListSpans, request, &response);
      rows = static_cast<uint64_t>(response.spans_size());
      bytes = response.ByteSizeLong();
    } else if (kind == "trace") {
      v1::GetTraceRequest request;
      request.set_id(fields.at(2));
      v1::GetTraceResponse response;
      ok = Call(&v1::QueryService::Stub::GetTrace, request, &response);
      rows = static_cast<uint64_t>(response.spans_size());
      bytes = response.ByteSizeLong();
    } else if (kind == "edges") {
      v1::ListEdgesRequest request;
      SetTime(fields, request.mutable_time());
      request.set_filter(fields.at(4));
      v1::ListEdgesResponse response;
      ok = Call(&v1::QueryService::Stub::ListEdges, request, &response);
      rows = static_cast<uint64_t>(response.edges_size());
      bytes = response.ByteSizeLong();
    } else {
      Fail("unknown question " + kind);
    }
    if (!ok) {
      if (++times.errors == 1) times.error = error_;
      return;
    }
    times.ms.push_back(static_cast<double>(kindling::base::SystemClock().BootNs() - before_ns) /
                       1e6);
    times.rows += rows;
    times.empty += rows == 0 ? 1 : 0;
    times.bytes += bytes;
  }

 private:
  template <typename Method, typename Request, typename Response>
  bool Call(Method method, const Request& request, Response* response) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + kPatience);
    const grpc::Status status = (*stub_.*method)(&context, request, response);
    if (status.ok() || status.error_code() == grpc::StatusCode::NOT_FOUND) return true;
    error_ = status.error_message();
    return false;
  }

  static void SetTime(const std::vector<std::string>& fields, v1::TimeRange* out) {
    out->set_start_ns(std::atoll(fields.at(2).c_str()));
    out->set_end_ns(std::atoll(fields.at(3).c_str()));
  }

  std::unique_ptr<v1::QueryService::Stub> stub_;
  std::string error_;
};

}  // namespace

int main(int argc, char** argv) {
  Flags flags(argc, argv);
  const std::string address = flags.Text("address");
  const std::string ca = flags.Text("ca");
  const std::string queries = flags.Text("queries");
  flags.CheckAllUsed();
  Asker asker(address, ca);
  asker.Greet();
  std::map<std::string, Times> by_label;
  std::ifstream in(queries);
  if (!in) Fail("cannot read " + queries);
  for (std::string line; std::getline(in, line);) {
    std::vector<std::string> fields;
    std::stringstream parts(line);
    for (std::string field; std::getline(parts, field, '\t');) fields.push_back(field);
    while (fields.size() < 7) fields.emplace_back();
    asker.Ask(fields, by_label[fields[0]]);
  }
  std::string out;
  for (auto& [label, times] : by_label) {
    std::string ms;
    for (const double each : times.ms)
      absl::StrAppendFormat(&ms, "%s%.3f", ms.empty() ? "" : ", ", each);
    absl::StrAppendFormat(
        &out,
        R"(%s"%s": {"ms": [%s], "rows": %d, "empty": %d, "bytes": %d, "errors": %d, "error": "%s"})",
        out.empty() ? "" : ", ", label, ms, times.rows, times.empty, times.bytes, times.errors,
        absl::CEscape(times.error));
  }
  std::printf("{%s}\n", out.c_str());
  return 0;
}
