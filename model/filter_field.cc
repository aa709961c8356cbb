#include "model/filter_field.h"

#include <array>

#include "model/protocol.h"
#include "model/records.h"

namespace kindling::model {
namespace {

constexpr uint8_t kSpans = static_cast<uint8_t>(RecordKind::kSpan);
constexpr uint8_t kEdges = static_cast<uint8_t>(RecordKind::kEdge);
constexpr uint8_t kProcesses = static_cast<uint8_t>(RecordKind::kProcess);
constexpr uint8_t kTcp = static_cast<uint8_t>(RecordKind::kTcp);
constexpr uint8_t kEnds = static_cast<uint8_t>(RecordKind::kEnds) | kTcp;
constexpr uint8_t kInterfaces = static_cast<uint8_t>(RecordKind::kInterface);
constexpr uint8_t kRequests = kSpans | kEdges;
constexpr uint8_t kEverything = kRequests | kProcesses;

constexpr std::string_view kAttributePrefix = "attr.";

// Indexed by FilterField.
constexpr std::array<FilterFieldInfo, 25> kFields = {{
    {FilterField::kService, "service", "", FieldKind::kText, kEverything | kEnds,
     "the workload at either end; of a process its own"},
    {FilterField::kClient, "client", "", FieldKind::kText, kRequests | kEnds,
     "the calling workload"},
    {FilterField::kServer, "server", "", FieldKind::kText, kRequests | kEnds,
     "the called workload"},
    {FilterField::kHost, "host", "node", FieldKind::kText, kEverything | kEnds | kInterfaces,
     "the node; of two ends either one"},
    {FilterField::kAddress, "address", "", FieldKind::kText, kRequests | kEnds,
     "the IP address or socket path of either end"},
    {FilterField::kProtocol, "protocol", "", FieldKind::kChoice, kRequests,
     "the application protocol"},
    {FilterField::kTransport, "transport", "", FieldKind::kChoice, kRequests, "tcp, udp or unix"},
    {FilterField::kEndpoint, "endpoint", "", FieldKind::kText, kRequests,
     "the operation as a template, such as \"GET /products/*\""},
    {FilterField::kStatus, "status", "", FieldKind::kChoice, kRequests,
     "ok or error, or an outcome by its own name"},
    {FilterField::kCode, "code", "", FieldKind::kTextual, kEverything,
     "the protocol's own status code; of a process its exit status or signal"},
    {FilterField::kOutcome, "outcome", "", FieldKind::kChoice, kRequests, "how the request ended"},
    {FilterField::kSide, "side", "observer", FieldKind::kChoice, kRequests | kEnds,
     "which end was watched: client or server"},
    {FilterField::kSlow, "slow", "", FieldKind::kChoice, kRequests,
     "slower than its protocol's threshold"},
    {FilterField::kLatency, "latency", "duration", FieldKind::kDuration, kRequests,
     "first byte of the request to last byte of the response"},
    {FilterField::kWait, "wait", "", FieldKind::kDuration, kSpans,
     "last byte of the request to first byte of the response"},
    {FilterField::kConnect, "connect", "", FieldKind::kDuration, kSpans,
     "time to connect, on a connection's first request"},
    {FilterField::kSent, "sent", "bytes_sent", FieldKind::kBytes, kRequests | kTcp,
     "bytes from client to server"},
    {FilterField::kReceived, "received", "bytes_received", FieldKind::kBytes, kRequests | kTcp,
     "bytes from server to client"},
    {FilterField::kPid, "pid", "", FieldKind::kNumber, kSpans | kProcesses,
     "the process that was watched"},
    {FilterField::kEvent, "event", "", FieldKind::kChoice, kProcesses,
     "what happened to the process"},
    {FilterField::kExecutable, "executable", "", FieldKind::kText, kProcesses,
     "the path of the executable"},
    {FilterField::kCommand, "command", "", FieldKind::kText, kProcesses, "the command line"},
    {FilterField::kNetns, "netns", "", FieldKind::kText, kInterfaces,
     "the network namespace, by name or inode number"},
    {FilterField::kDevice, "device", "interface", FieldKind::kText, kInterfaces,
     "the network device"},
    {FilterField::kAttribute, kAttributePrefix, "", FieldKind::kTextual, kSpans,
     "any attribute of the span, as attr.NAME"},
}};

constexpr bool TableIsInOrder() {
  for (size_t i = 0; i < kFields.size(); ++i) {
    if (static_cast<size_t>(kFields[i].field) != i) return false;
  }
  return true;
}
static_assert(TableIsInOrder());

// The names of an enumeration's values `first`..`last`.
template <typename E>
std::vector<std::string> NamesOf(E first, E last) {
  std::vector<std::string> names;
  for (int i = static_cast<int>(first); i <= static_cast<int>(last); ++i) {
    names.emplace_back(Name(static_cast<E>(i)));
  }
  return names;
}

}  // namespace

std::span<const FilterFieldInfo> FilterFields() { return kFields; }

const FilterFieldInfo& InfoOf(FilterField field) { return kFields[static_cast<size_t>(field)]; }

const FilterFieldInfo* FindFilterField(std::string_view name) {
  if (name.starts_with(kAttributePrefix)) {
    return name.size() > kAttributePrefix.size() ? &InfoOf(FilterField::kAttribute) : nullptr;
  }
  for (const FilterFieldInfo& info : kFields) {
    if (name == info.name || (!info.alias.empty() && name == info.alias)) return &info;
  }
  return nullptr;
}

std::vector<std::string> ChoicesOf(FilterField field) {
  switch (field) {
    case FilterField::kProtocol: {
      std::vector<std::string> names;
      // The enumeration grows; its names end where they become "unknown" again.
      for (int i = 1; ProtocolFromName(Name(static_cast<Protocol>(i))) == static_cast<Protocol>(i);
           ++i) {
        names.emplace_back(Name(static_cast<Protocol>(i)));
      }
      names.emplace_back(Name(Protocol::kUnknown));
      return names;
    }
    case FilterField::kTransport:
      return NamesOf(Transport::kTcp, Transport::kUnix);
    case FilterField::kStatus: {
      std::vector<std::string> names = {"ok", "error"};
      for (std::string& name : NamesOf(Outcome::kClientError, Outcome::kConnectFailed)) {
        names.push_back(std::move(name));
      }
      return names;
    }
    case FilterField::kOutcome:
      return NamesOf(Outcome::kOk, Outcome::kConnectFailed);
    case FilterField::kSide:
      return NamesOf(Side::kClient, Side::kServer);
    case FilterField::kSlow:
      return {"true", "false"};
    case FilterField::kEvent:
      return NamesOf(ProcessEventKind::kStart, ProcessEventKind::kFound);
    default:
      return {};
  }
}

std::vector<std::string> FilterFieldNames(std::optional<RecordKind> kind) {
  std::vector<std::string> names;
  for (const FilterFieldInfo& info : kFields) {
    if (!kind || (info.records & static_cast<uint8_t>(*kind)) != 0) names.emplace_back(info.name);
  }
  return names;
}

std::string_view PluralOf(RecordKind kind) {
  switch (kind) {
    case RecordKind::kSpan:
      return "spans";
    case RecordKind::kEdge:
      return "edges";
    case RecordKind::kProcess:
      return "processes";
    case RecordKind::kTcp:
      return "TCP edges";
    case RecordKind::kEnds:
      return "ends of edges";
    case RecordKind::kInterface:
      return "interfaces";
  }
  return "records";
}

}  // namespace kindling::model
