#include "agent/network/host/proc_net.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <optional>
#include <string>

#include "absl/strings/str_format.h"

namespace kindling::agent {
namespace {

using model::host::Metric;

// CPUs beyond have no figures.
constexpr size_t kMaxCpus = 4096;

// Takes the part up to `separator` off the front of `text`; the last part needs none.
std::string_view TakeUntil(char separator, std::string_view& text) {
  const size_t end = std::min(text.find(separator), text.size());
  const std::string_view part = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  return part;
}

std::vector<std::string_view> Words(std::string_view line) {
  std::vector<std::string_view> words;
  while (!line.empty()) {
    const size_t end = std::min(line.find_first_of(" \t\r\n"), line.size());
    if (end > 0) words.push_back(line.substr(0, end));
    line.remove_prefix(std::min(end + 1, line.size()));
  }
  return words;
}

std::optional<double> Number(std::string_view word, int base = 10) {
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), value, base);
  if (error != std::errc() || end != word.data() + word.size()) return std::nullopt;
  return static_cast<double>(value);
}

// "TCP: inuse 1 orphan 0": the number after `name` on the line that begins with `section`.
std::optional<double> Named(std::string_view text, std::string_view section,
                            std::string_view name) {
  while (!text.empty()) {
    const std::vector<std::string_view> words = Words(TakeUntil('\n', text));
    if (words.empty() || words[0] != section) continue;
    for (size_t i = 1; i + 1 < words.size(); i += 2) {
      if (words[i] == name) return Number(words[i + 1]);
    }
  }
  return std::nullopt;
}

// What the kernel throws away, of the hundreds of things that it counts.
struct Counter {
  const char* section;
  const char* name;
};
constexpr Counter kDrops[] = {
    {"Ip:", "InHdrErrors"},
    {"Ip:", "InAddrErrors"},
    {"Ip:", "InDiscards"},
    {"Ip:", "OutDiscards"},
    {"Ip:", "OutNoRoutes"},
    {"Ip:", "ReasmFails"},
    {"Ip:", "FragFails"},
    {"IpExt:", "InNoRoutes"},
    {"IpExt:", "InTruncatedPkts"},
    {"IpExt:", "InCsumErrors"},
    {"Tcp:", "InCsumErrors"},
    {"Udp:", "NoPorts"},
    {"Udp:", "RcvbufErrors"},
    {"Udp:", "SndbufErrors"},
    {"Udp:", "InCsumErrors"},
    {"Udp:", "MemErrors"},
    {"TcpExt:", "PruneCalled"},
    {"TcpExt:", "RcvPruned"},
    {"TcpExt:", "OfoPruned"},
    {"TcpExt:", "ListenDrops"},
    {"TcpExt:", "TCPBacklogDrop"},
    {"TcpExt:", "PFMemallocDrop"},
    {"TcpExt:", "TCPMinTTLDrop"},
    {"TcpExt:", "TCPRcvQDrop"},
    {"TcpExt:", "TCPOFODrop"},
    {"TcpExt:", "TCPWqueueTooBig"},
    {"TcpExt:", "TCPReqQFullDrop"},
    {"TcpExt:", "TCPZeroWindowDrop"},
    {"TcpExt:", "TCPAbortOnMemory"},
};

void AddCounter(std::string_view section, std::string_view name, double value,
                std::vector<NetworkFigure>& figures) {
  if (section == "TcpExt:" && name == "TCPMemoryPressures") {
    figures.push_back({.metric = Metric::kTcpMemoryPressures, .value = value});
  } else if (section == "TcpExt:" && name == "TCPMemoryPressuresChrono") {
    figures.push_back({.metric = Metric::kTcpMemoryPressureTime, .value = value / 1e3});  // ms
  } else if (std::ranges::any_of(kDrops, [&](const Counter& counter) {
               return section == counter.section && name == counter.name;
             })) {
    std::string detail(section);
    detail.back() = '.';
    figures.push_back(
        {.metric = Metric::kProtocolDrops, .detail = detail.append(name), .value = value});
  }
}

}  // namespace

void ReadSockets(std::string_view sockstat, std::vector<NetworkFigure>& figures) {
  constexpr struct {
    const char* section;
    const char* name;
    const char* kind;
  } kKinds[] = {{"TCP:", "inuse", "tcp"},
                {"TCP:", "orphan", "tcp_orphan"},
                {"TCP:", "tw", "tcp_time_wait"},
                {"UDP:", "inuse", "udp"}};
  for (const auto& [section, name, kind] : kKinds) {
    if (const auto value = Named(sockstat, section, name)) {
      figures.push_back({.metric = Metric::kSockets, .detail = kind, .value = *value});
    }
  }
}

void ReadSocketMemory(std::string_view sockstat, std::string_view tcp_mem, std::string_view udp_mem,
                      double page_bytes, std::vector<NetworkFigure>& figures) {
  const auto add = [&](Metric metric, std::optional<double> pages) {
    if (pages) figures.push_back({.metric = metric, .value = *pages * page_bytes});
  };
  const auto limit = [](std::string_view text, size_t i) -> std::optional<double> {
    const std::vector<std::string_view> words = Words(text);
    return i < words.size() ? Number(words[i]) : std::nullopt;
  };
  add(Metric::kTcpMemoryBytes, Named(sockstat, "TCP:", "mem"));
  add(Metric::kTcpMemoryPressureBytes, limit(tcp_mem, 1));
  add(Metric::kTcpMemoryMaxBytes, limit(tcp_mem, 2));
  add(Metric::kUdpMemoryBytes, Named(sockstat, "UDP:", "mem"));
  add(Metric::kUdpMemoryMaxBytes, limit(udp_mem, 2));
}

void ReadProtocolCounters(std::string_view text, std::vector<NetworkFigure>& figures) {
  while (!text.empty()) {
    const std::vector<std::string_view> names = Words(TakeUntil('\n', text));
    const std::vector<std::string_view> values = Words(TakeUntil('\n', text));
    // Lines that are no pair: what follows has lost its place too.
    if (names.empty() || values.size() != names.size() || names[0] != values[0]) return;
    for (size_t i = 1; i < names.size(); ++i) {
      if (const auto value = Number(values[i])) AddCounter(names[0], names[i], *value, figures);
    }
  }
}

void ReadSoftnet(std::string_view text, std::vector<NetworkFigure>& figures) {
  // Offline CPUs have no line; the thirteenth number, since 5.10, says whose line it is.
  constexpr size_t kCpuColumn = 12;
  for (size_t line = 0; !text.empty() && line < kMaxCpus; ++line) {
    const std::vector<std::string_view> words = Words(TakeUntil('\n', text));
    if (words.size() < 3) continue;
    const auto told = words.size() > kCpuColumn ? Number(words[kCpuColumn], 16) : std::nullopt;
    const std::string cpu = absl::StrFormat("%.0f", told.value_or(static_cast<double>(line)));
    constexpr Metric kColumns[] = {Metric::kSoftirqPackets, Metric::kSoftirqDrops,
                                   Metric::kSoftirqSqueezes};
    for (size_t i = 0; i < 3; ++i) {
      if (const auto value = Number(words[i], 16)) {
        figures.push_back({.metric = kColumns[i], .detail = cpu, .value = *value});
      }
    }
  }
}

void ReadConntrackCounters(std::string_view text, std::vector<NetworkFigure>& figures) {
  const std::vector<std::string_view> names = Words(TakeUntil('\n', text));
  std::map<std::string_view, double> sums;
  for (size_t line = 0; !text.empty() && line < kMaxCpus; ++line) {
    const std::vector<std::string_view> words = Words(TakeUntil('\n', text));
    for (size_t i = 0; i < std::min(words.size(), names.size()); ++i) {
      if (names[i] != "drop" && names[i] != "early_drop" && names[i] != "insert_failed") continue;
      if (const auto value = Number(words[i], 16)) sums[names[i]] += *value;
    }
  }
  for (const auto& [name, sum] : sums) {
    figures.push_back(
        {.metric = Metric::kConntrackDrops, .detail = std::string(name), .value = sum});
  }
}

void ReadNumber(std::string_view text, Metric metric, std::vector<NetworkFigure>& figures) {
  const std::vector<std::string_view> words = Words(text);
  const auto value = words.size() == 1 ? Number(words[0]) : std::nullopt;
  if (value) figures.push_back({.metric = metric, .value = *value});
}

PortRange ReadPortRange(std::string_view text) {
  const std::vector<std::string_view> words = Words(text);
  if (words.size() != 2) return {};
  const auto first = Number(words[0]);
  const auto last = Number(words[1]);
  if (!first || !last || *first < 1 || *last < *first || *last > UINT16_MAX) return {};
  return {.first = static_cast<uint16_t>(*first), .last = static_cast<uint16_t>(*last)};
}

}  // namespace kindling::agent
