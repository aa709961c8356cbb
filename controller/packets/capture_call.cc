#include "controller/packets/capture_call.h"

#include <algorithm>
#include <optional>
#include <set>
#include <utility>

#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "base/packet_filter.h"
#include "base/rpc_status.h"
#include "base/status_macros.h"
#include "controller/packets/packet_places.h"

namespace kindling::controller {
namespace {

constexpr int kMaxCalls = 32;
constexpr size_t kMaxNodes = 64;
constexpr int64_t kSecondNs = 1'000'000'000;
constexpr int64_t kDefaultDurationNs = 30 * kSecondNs;
constexpr int64_t kMaxDurationNs = 3600 * kSecondNs;
constexpr int64_t kLookBackNs = 15 * 60 * kSecondNs;
constexpr size_t kMaxNameBytes = 512;
// The agent ends by itself; this is for one whose clock does not go on.
constexpr absl::Duration kGrace = absl::Seconds(5);
constexpr absl::Duration kLook = absl::Milliseconds(100);
constexpr uint32_t kAnySnap = 1;

absl::Status Check(const v1::CapturePacketsRequest& request) {
  if (request.service().size() > kMaxNameBytes || request.client().size() > kMaxNameBytes ||
      request.server().size() > kMaxNameBytes || request.nodes_size() > int{kMaxNodes}) {
    return absl::InvalidArgumentError(
        absl::StrFormat("names are too long, or there are more than %d nodes", kMaxNodes));
  }
  if (request.client().empty() != request.server().empty()) {
    return absl::InvalidArgumentError("an edge has a client and a server");
  }
  if (!request.service().empty() && !request.client().empty()) {
    return absl::InvalidArgumentError("a service or an edge, not both");
  }
  const v1::PacketCapture& capture = request.capture();
  if (capture.duration_ns() < 0 || capture.duration_ns() > kMaxDurationNs) {
    return absl::InvalidArgumentError("a capture lasts one hour at most");
  }
  return base::CompilePacketFilter(capture.filter(), kAnySnap).status();
}

}  // namespace

CaptureCall::CaptureCall(const CaptureParts& parts, absl::StatusOr<Caller> admitted)
    : parts_(parts), caller_(std::move(admitted)) {
  if (++parts_.calls > kMaxCalls) {
    End(absl::ResourceExhaustedError("too many captures at once: wait until one has ended"));
  } else if (!caller_.ok()) {
    End(caller_.status());
  } else {
    StartRead(&request_);
  }
}

void CaptureCall::End(const absl::Status& status) { Finish(base::ToRpcStatus(status)); }

void CaptureCall::OnReadDone(bool ok) {
  if (std::exchange(has_request_, true)) {
    is_stopped_ = true;  // whatever else it says
    return;
  }
  if (!ok) {
    End(absl::InvalidArgumentError("the first message says what to capture"));
    return;
  }
  // For the end of the client's side. Before the thread, which may finish the call.
  StartRead(&ignored_);
  thread_ = std::thread([this] { End(Run()); });
}

void CaptureCall::OnWriteDone(bool ok) {
  absl::MutexLock lock(&mu_);
  writing_ = false;
  if (!ok) is_gone_ = true;
}

void CaptureCall::OnCancel() { is_gone_ = true; }

void CaptureCall::OnDone() {
  if (thread_.joinable()) thread_.join();
  --parts_.calls;
  delete this;
}

bool CaptureCall::Write(v1::CapturePacketsResponse response) {
  if (is_gone_) return false;
  response_ = std::move(response);
  {
    absl::MutexLock lock(&mu_);
    writing_ = true;
  }
  StartWrite(&response_);
  absl::MutexLock lock(&mu_);
  mu_.Await(absl::Condition(
      +[](bool* writing) { return !*writing; }, &writing_));
  return !is_gone_;
}

absl::StatusOr<std::map<std::string, std::string>> CaptureCall::FindFilters() const {
  const PacketEnds ends{
      .service = request_.service(), .client = request_.client(), .server = request_.server()};
  if (ends.empty()) return std::map<std::string, std::string>();
  const QueryContext context{.sources = parts_.sources, .caller = *caller_, .cancelled = [this] {
                               return is_gone_.load();
                             }};
  v1::TimeRange time = request_.time();
  if (time.start_ns() == 0) time.set_start_ns(parts_.sources.clock.WallNs() - kLookBackNs);
  ASSIGN_OR_RETURN(const Range range, ResolveRange(context, time));
  return PacketFiltersFor(context, ends, range, request_.capture().filter());
}

absl::StatusOr<std::vector<CaptureCall::Node>> CaptureCall::FindNodes() const {
  ASSIGN_OR_RETURN(const auto filters, FindFilters());
  std::set<std::string> wanted(request_.nodes().begin(), request_.nodes().end());
  std::set<std::string> met;  // of wanted
  std::set<std::string> hosts;
  std::vector<Node> nodes;
  for (const TaskHub::Attendant& agent : parts_.hub.attendants()) {
    if (!wanted.empty()) {
      const bool by_host = wanted.contains(agent.host), by_id = wanted.contains(agent.agent_id);
      if (!by_host && !by_id) continue;
      met.insert(by_host ? agent.host : agent.agent_id);
      if (by_id) met.insert(agent.agent_id);
    }
    Node node{
        .agent_id = agent.agent_id, .host = agent.host, .filter = request_.capture().filter()};
    if (!filters.empty()) {
      const auto found = filters.find(agent.host);
      if (found == filters.end()) continue;
      node.filter = found->second;
    }
    hosts.insert(agent.host);
    nodes.push_back(std::move(node));
  }
  for (const std::string& name : wanted) {
    if (met.contains(name)) continue;
    return absl::NotFoundError(absl::StrFormat(
        "no agent of the name \"%s\" is connected; \"kindlingctl get agents\" lists them", name));
  }
  // Where the service or edge was seen, and nobody is now: the answer will lack it.
  for (const auto& [host, filter] : filters) {
    if (wanted.empty() && !hosts.contains(host)) nodes.push_back({.host = host, .filter = filter});
  }
  if (hosts.empty()) {
    return absl::FailedPreconditionError(
        "no agent is connected that could capture; \"kindlingctl get agents\" lists them");
  }
  if (nodes.size() > kMaxNodes) {
    return absl::ResourceExhaustedError(absl::StrFormat(
        "%d nodes would capture, %d can at once: name some with --node", nodes.size(), kMaxNodes));
  }
  return nodes;
}

absl::Status CaptureCall::Run() {
  RETURN_IF_ERROR(Check(request_));
  if (request_.capture().duration_ns() == 0) {
    request_.mutable_capture()->set_duration_ns(kDefaultDurationNs);
  }
  ASSIGN_OR_RETURN(const std::vector<Node> nodes, FindNodes());
  return HandOn(nodes);
}

absl::Status CaptureCall::HandOn(const std::vector<Node>& nodes) {
  v1::CapturePacketsResponse first;
  std::vector<TaskHub::Assignment> assignments;
  for (const Node& node : nodes) {
    v1::PacketCaptureNode& out = *first.mutable_nodes()->add_nodes();
    out.set_agent_id(node.agent_id);
    out.set_host(node.host);
    out.set_filter(node.filter);
    v1::PacketCapture task = request_.capture();
    task.set_filter(node.filter);
    assignments.push_back({.agent_id = node.agent_id});
    assignments.back().task.PackFrom(task);
  }
  const absl::Duration limit = absl::Nanoseconds(request_.capture().duration_ns()) + kGrace;
  ASSIGN_OR_RETURN(const std::unique_ptr<TaskRun> run, parts_.hub.Start(assignments, limit));
  bool goes_on = Write(std::move(first));
  bool is_told = false;
  while (goes_on && !is_gone_) {
    if (is_stopped_ && !std::exchange(is_told, true)) run->Stop();
    std::optional<TaskQueue::Event> event = run->Next(absl::Now() + kLook);
    if (!event) {
      if (run->done()) return absl::OkStatus();
      continue;
    }
    v1::CapturePacketsResponse response;
    if (event->output) {
      response.mutable_output()->set_node(static_cast<uint32_t>(event->agent));
      response.mutable_output()->mutable_output()->Swap(&*event->output);
    } else {
      response.mutable_end()->set_node(static_cast<uint32_t>(event->agent));
      response.mutable_end()->set_code(static_cast<int>(event->end.code()));
      response.mutable_end()->set_message(std::string(event->end.message()));
    }
    goes_on = Write(std::move(response));
  }
  return absl::CancelledError("nobody reads on");
}

}  // namespace kindling::controller
