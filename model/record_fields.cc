#include "model/record_fields.h"

namespace kindling::model {
namespace {

FieldRange Single(double value) { return {value, value}; }

void AddStatus(Outcome outcome, FieldTexts* out) {
  if (IsError(outcome)) out->Add("error");
  if (outcome != Outcome::kUnset) out->Add(Name(outcome));
}

// The fields that Span and EdgeStats have under the same names. False: not one of them.
template <typename Record>
bool SharedTexts(const Record& record, Side observer, const EndNames& names, FilterField field,
                 FieldTexts* out) {
  switch (field) {
    case FilterField::kService:
      out->Add(names.client);
      out->Add(names.server);
      return true;
    case FilterField::kClient:
      out->Add(names.client);
      return true;
    case FilterField::kServer:
      out->Add(names.server);
      return true;
    case FilterField::kHost:
      out->Add(names.client_host);
      out->Add(names.server_host);
      return true;
    case FilterField::kAddress:
      out->Add(record.client.address);
      out->Add(record.server.address);
      return true;
    case FilterField::kProtocol:
      out->Add(Name(record.protocol));
      return true;
    case FilterField::kTransport:
      out->Add(Name(record.transport));
      return true;
    case FilterField::kEndpoint:
      out->Add(record.endpoint);
      return true;
    case FilterField::kStatus:
      AddStatus(record.outcome, out);
      return true;
    case FilterField::kCode:
      out->Add(record.status_code);
      return true;
    case FilterField::kOutcome:
      if (record.outcome != Outcome::kUnset) out->Add(Name(record.outcome));
      return true;
    case FilterField::kSide:
      if (observer != Side::kUnknown) out->Add(Name(observer));
      return true;
    default:
      return false;
  }
}

}  // namespace

EndNames NamesByObserver(const Party& client, const Party& server) {
  const auto name = [](const Party& party) -> std::string_view {
    if (!party.workload.empty()) return party.workload;
    return party.dns_name.empty() ? party.address : party.dns_name;
  };
  return {name(client), name(server), client.host, server.host};
}

void SpanFields::Texts(FilterField field, std::string_view attribute, FieldTexts* out) const {
  if (SharedTexts(span_, span_.side, names_, field, out)) return;
  if (field == FilterField::kSlow) {
    out->Add(span_.slow ? "true" : "false");
  } else if (field == FilterField::kAttribute) {
    for (const auto& [name, value] : span_.attributes) {
      if (name == attribute) out->Add(value);
    }
  }
}

std::optional<FieldRange> SpanFields::Range(FilterField field) const {
  switch (field) {
    case FilterField::kLatency:
      return Single(static_cast<double>(span_.duration_ns()));
    case FilterField::kWait:
      return Single(static_cast<double>(span_.wait_duration_ns));
    case FilterField::kConnect:
      if (span_.connect_duration_ns == 0) return std::nullopt;
      return Single(static_cast<double>(span_.connect_duration_ns));
    case FilterField::kSent:
      return Single(static_cast<double>(span_.request_bytes));
    case FilterField::kReceived:
      return Single(static_cast<double>(span_.response_bytes));
    case FilterField::kPid:
      return Single(span_.pid);
    default:
      return std::nullopt;
  }
}

void EdgeFields::Texts(FilterField field, std::string_view, FieldTexts* out) const {
  if (SharedTexts(edge_, edge_.observer, names_, field, out)) return;
  if (field == FilterField::kSlow) {
    if (edge_.slow_count > 0) out->Add("true");
    if (edge_.slow_count < edge_.count) out->Add("false");
  }
}

std::optional<FieldRange> EdgeFields::Range(FilterField field) const {
  switch (field) {
    case FilterField::kLatency:
      if (edge_.latency.count() == 0) return std::nullopt;
      return FieldRange{static_cast<double>(edge_.latency.min_ns()),
                        static_cast<double>(edge_.latency.max_ns())};
    case FilterField::kSent:
      return Single(static_cast<double>(edge_.sent_bytes));
    case FilterField::kReceived:
      return Single(static_cast<double>(edge_.received_bytes));
    default:
      return std::nullopt;
  }
}

ProcessFields::ProcessFields(const ProcessEvent& event)
    : event_(event), code_(std::to_string(event.code)) {}

void ProcessFields::Texts(FilterField field, std::string_view, FieldTexts* out) const {
  switch (field) {
    case FilterField::kService:
      return out->Add(event_.workload);
    case FilterField::kHost:
      return out->Add(event_.host);
    case FilterField::kCode:
      if (event_.kind == ProcessEventKind::kExit || event_.kind == ProcessEventKind::kCrash) {
        out->Add(code_);
      }
      return;
    case FilterField::kEvent:
      if (event_.kind != ProcessEventKind::kUnset) out->Add(Name(event_.kind));
      return;
    case FilterField::kExecutable:
      return out->Add(event_.executable);
    case FilterField::kCommand:
      return out->Add(event_.command);
    default:
      return;
  }
}

std::optional<FieldRange> ProcessFields::Range(FilterField field) const {
  if (field == FilterField::kPid) return Single(event_.pid);
  return std::nullopt;
}

void InterfaceFields::Texts(FilterField field, std::string_view, FieldTexts* out) const {
  const std::string_view text = field == FilterField::kHost     ? host_
                                : field == FilterField::kNetns  ? netns_
                                : field == FilterField::kDevice ? device_
                                                                : std::string_view();
  if (!text.empty()) out->Add(text);
}

}  // namespace kindling::model
