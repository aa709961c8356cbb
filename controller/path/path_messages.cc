#include "controller/path/path_messages.h"

#include <limits>

#include "absl/strings/str_format.h"

namespace kindling::controller {
namespace {

constexpr size_t kMaxTextBytes = 256;

std::string Cut(const std::string& text) {
  if (text.size() <= kMaxTextBytes) return text;
  size_t end = kMaxTextBytes;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) --end;
  return text.substr(0, end);
}

template <typename Small>
Small Fit(uint32_t value) {
  return value <= std::numeric_limits<Small>::max() ? static_cast<Small>(value) : Small{0};
}

model::PathTuple FromProto(const v1::TracedTuple& tuple) {
  return {.source = Cut(tuple.source()),
          .destination = Cut(tuple.destination()),
          .source_port = Fit<uint16_t>(tuple.source_port()),
          .destination_port = Fit<uint16_t>(tuple.destination_port()),
          .protocol = Fit<uint8_t>(tuple.protocol())};
}

double Ms(double ns) { return ns / 1e6; }

const std::string& HostOf(const std::string& node, const HostNames& hosts) {
  const auto found = hosts.find(node);
  return found == hosts.end() ? node : found->second;
}

std::string EndText(const std::string& address, uint16_t port) {
  if (port == 0) return address;
  return absl::StrFormat(address.find(':') == std::string::npos ? "%s:%d" : "[%s]:%d", address,
                         port);
}

void WriteHop(const model::PathJourney& journey, size_t i, const HostNames& hosts,
              v1::PathHop* out) {
  const model::PathHop& hop = journey.hops[i];
  out->set_host(HostOf(hop.node, hosts));
  out->set_network_namespace(hop.network_namespace);
  out->set_device(hop.device);
  out->set_place(std::string(Name(hop.place)));
  out->set_across_clocks(journey.CrossesClocks(i));
  out->set_since_last_ms(Ms(static_cast<double>(journey.SinceLastNs(i))));
  out->set_source(EndText(hop.tuple.source, hop.tuple.source_port));
  out->set_destination(EndText(hop.tuple.destination, hop.tuple.destination_port));
  out->set_translated(i > 0 && !(hop.tuple == journey.hops[i - 1].tuple));
  if (!hop.carrier.empty()) {
    out->set_tunnel(absl::StrFormat("vxlan %d: %s -> %s", hop.vni, hop.carrier.source,
                                    hop.carrier.destination));
  }
  out->set_detail(hop.detail);
  out->set_reason(hop.reason);
  out->set_location(hop.location);
  out->set_mark(hop.mark);
}

}  // namespace

model::PathHop FromProto(const v1::TracedHop& hop, const std::string& node) {
  model::PathHop out;
  out.node = node;
  out.packet = hop.packet();
  out.wall_ns = hop.wall_ns();
  out.place = model::ToPathPlace(hop.place());
  out.tuple = FromProto(hop.tuple());
  if (hop.has_carrier()) out.carrier = FromProto(hop.carrier());
  out.vni = hop.vni();
  out.network_namespace = Cut(hop.network_namespace());
  out.device = Cut(hop.device());
  out.detail = Cut(hop.detail());
  out.reason = Cut(hop.reason());
  out.location = Cut(hop.location());
  out.sequence = hop.sequence();
  out.payload_bytes = hop.payload_bytes();
  out.ip_id = Fit<uint16_t>(hop.ip_id());
  out.tcp_flags = Fit<uint8_t>(hop.tcp_flags());
  out.mark = hop.mark();
  out.is_reply = hop.is_reply();
  out.is_new = hop.is_new();
  out.of_socket = hop.of_socket();
  out.is_fragment = hop.is_fragment();
  return out;
}

v1::PacketPath ToProto(const model::PathJourney& journey, const HostNames& hosts) {
  v1::PacketPath out;
  const model::PathHop& first = journey.hops.front();
  out.set_start_ns(first.wall_ns);
  out.set_protocol(model::ProtocolName(first.tuple.protocol));
  out.set_outcome(std::string(Name(journey.outcome)));
  out.set_reply(first.is_reply);
  out.set_partial(journey.is_partial);
  out.set_tcp_flags(model::TcpFlagNames(first.tcp_flags));
  out.set_bytes(first.payload_bytes);
  for (size_t i = 0; i < journey.hops.size(); ++i) WriteHop(journey, i, hosts, out.add_hops());
  out.set_hops_left_out(journey.hops_beyond);
  return out;
}

v1::PathSummary ToProto(const model::PathSummary& summary, const HostNames& hosts) {
  v1::PathSummary out;
  out.set_packets(static_cast<double>(summary.packets()));
  for (int i = 0; i < static_cast<int>(model::PathSummary::kOutcomes); ++i) {
    const auto outcome = static_cast<model::PathOutcome>(i);
    const uint64_t count = summary.CountOf(outcome);
    if (count > 0) {
      (*out.mutable_outcomes())[std::string(Name(outcome))] = static_cast<double>(count);
    }
  }
  for (const model::PathSummary::Row& row : summary.Rows()) {
    v1::PathPlace* place = out.add_places();
    place->set_reply(row.is_reply);
    place->set_host(HostOf(row.node, hosts));
    place->set_network_namespace(row.network_namespace);
    place->set_device(row.device);
    place->set_place(std::string(Name(row.place)));
    place->set_reason(row.reason);
    place->set_location(row.location);
    place->set_packets(static_cast<double>(row.packets));
    place->set_p50_ms(Ms(row.since_last.QuantileNs(0.5)));
    place->set_p99_ms(Ms(row.since_last.QuantileNs(0.99)));
    place->set_max_ms(Ms(static_cast<double>(row.since_last.max_ns())));
  }
  return out;
}

}  // namespace kindling::controller
