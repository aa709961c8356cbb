#include "agent/config.h"

#include <unistd.h>

#include <algorithm>
#include <climits>
#include <vector>

#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "base/status_macros.h"
#include "base/yaml_config.h"
#include "model/protocol.h"

namespace kindling::agent {
namespace {

using config::v1::AgentConfig;

constexpr char kScopeHelp[] =
    "says what to watch and is required; write for example\n"
    "    scope: {network_namespaces: [/run/netns/NAME]}\n"
    "    scope: {cgroups: [/sys/fs/cgroup/system.slice/nginx.service]}\n"
    "    scope: {pids: [1234]}        # and their descendants\n"
    "    scope: {host: true}          # everything on this machine";

constexpr const char* kTaskWords[] = {"connections", "packet_capture", "path_trace", "rule_trace",
                                      "all"};

std::string HostName() {
  char name[HOST_NAME_MAX + 1] = "";
  gethostname(name, sizeof(name) - 1);
  return name[0] == '\0' ? "localhost" : name;
}

template <typename T>
void Range(base::ConfigFaults& faults, std::string_view field, T value, T low, T high) {
  if (value < low || value > high) {
    faults.Add(field, absl::StrFormat("must be %d to %d, is %d", low, high, value));
  }
}

// A ring buffer's size must be a power of two and a multiple of the page (kernel/bpf/ringbuf.c).
void RingSize(base::ConfigFaults& faults, std::string_view field, uint32_t bytes) {
  if (bytes < 4096 || bytes > (1u << 30) || (bytes & (bytes - 1)) != 0) {
    faults.Add(field,
               absl::StrFormat("must be a power of two from 4096 to 1073741824, is %d", bytes));
  }
}

void FillDefaults(AgentConfig& config) {
  const std::string host = HostName();
  if (config.host().empty()) config.set_host(host);
  if (config.agent_id().empty()) config.set_agent_id(host);
  if (config.controller().address().empty()) {
    config.mutable_controller()->set_address("127.0.0.1:7420");
  }
  auto* spool = config.mutable_spool();
  if (spool->directory().empty()) spool->set_directory("/var/lib/kindling/agent/spool");
  if (spool->max_bytes() == 0) spool->set_max_bytes(uint64_t{256} << 20);
  if (spool->max_age_s() == 0) spool->set_max_age_s(86'400);
  if (config.metrics_listen().empty()) config.set_metrics_listen("127.0.0.1:9500");
  auto* capture = config.mutable_capture();
  if (capture->hook().empty()) capture->set_hook("auto");
  if (capture->data_ring_bytes() == 0) capture->set_data_ring_bytes(16 << 20);
  if (capture->control_ring_bytes() == 0) capture->set_control_ring_bytes(1 << 20);
  if (capture->payload_bytes() == 0) capture->set_payload_bytes(4096);
  if (capture->drain_interval_ms() == 0) capture->set_drain_interval_ms(10);
  if (capture->cpu_percent() == 0) capture->set_cpu_percent(100);
  if (config.window_s() == 0) config.set_window_s(10);
  if (config.spans().keep().empty()) config.mutable_spans()->set_keep("sampled");
  if (config.spans().per_endpoint() == 0) config.mutable_spans()->set_per_endpoint(2);
  auto* limits = config.mutable_limits();
  if (limits->connections() == 0) limits->set_connections(65'536);
  if (limits->endpoints() == 0) limits->set_endpoints(200);
  if (limits->series() == 0) limits->set_series(20'000);
  if (limits->series_expiry_s() == 0) limits->set_series_expiry_s(600);
  if (config.no_response_s() == 0) config.set_no_response_s(120);
}

void Check(const AgentConfig& config, bool needs_scope, base::ConfigFaults& faults) {
  const auto& scope = config.scope();
  if (needs_scope && !scope.host() && scope.network_namespaces().empty() &&
      scope.cgroups().empty() && scope.pids().empty()) {
    faults.Add("scope", kScopeHelp);
  }
  const std::string& hook = config.capture().hook();
  if (hook != "auto" && hook != "socket_tracepoints" && hook != "sys_exit") {
    faults.Add("capture.hook", "must be auto, socket_tracepoints or sys_exit");
  }
  RingSize(faults, "capture.data_ring_bytes", config.capture().data_ring_bytes());
  RingSize(faults, "capture.control_ring_bytes", config.capture().control_ring_bytes());
  Range<uint32_t>(faults, "capture.payload_bytes", config.capture().payload_bytes(), 64, 8192);
  Range<uint32_t>(faults, "capture.drain_interval_ms", config.capture().drain_interval_ms(), 1,
                  1000);
  Range<uint32_t>(faults, "capture.cpu_percent", config.capture().cpu_percent(), 1, 10'000);
  Range<uint32_t>(faults, "window_s", config.window_s(), 1, 60);
  Range<uint32_t>(faults, "no_response_s", config.no_response_s(), 1, 3600);
  Range<uint32_t>(faults, "limits.connections", config.limits().connections(), 16, 1'000'000);
  Range<uint32_t>(faults, "limits.endpoints", config.limits().endpoints(), 1, 10'000);
  Range<uint32_t>(faults, "limits.series", config.limits().series(), 100, 10'000'000);
  Range<uint64_t>(faults, "spool.max_bytes", config.spool().max_bytes(), uint64_t{1} << 20,
                  uint64_t{1} << 44);
  if (config.spans().keep() != "sampled" && config.spans().keep() != "all") {
    faults.Add("spans.keep", "must be sampled or all");
  }
  for (const std::string& word : config.network().disable()) {
    if (word != "interfaces" && word != "conntrack") {
      faults.Add("network.disable", "must be interfaces or conntrack");
    }
  }
  for (const std::string& word : config.tasks().disable()) {
    if (std::ranges::count(kTaskWords, word) == 0) {
      faults.Add("tasks.disable",
                 absl::StrFormat("must be one of %s", absl::StrJoin(kTaskWords, ", ")));
    }
  }
  for (const auto& [name, ms] : config.slow_ms()) {
    if (name != "default" && !model::ProtocolFromName(name).has_value()) {
      faults.Add("slow_ms." + name, "is not a protocol; use http, mysql, redis, dns or default");
    }
  }
}

}  // namespace

absl::StatusOr<AgentConfig> LoadAgentConfig(const std::string& path, bool needs_scope) {
  AgentConfig config;
  RETURN_IF_ERROR(base::LoadYamlConfig(path, &config, [&](base::ConfigFaults& faults) {
    FillDefaults(config);
    Check(config, needs_scope, faults);
  }));
  return config;
}

absl::StatusOr<AgentConfig> ParseAgentConfig(std::string_view text, std::string_view name,
                                             bool needs_scope) {
  AgentConfig config;
  RETURN_IF_ERROR(base::ParseYamlConfig(text, name, &config, [&](base::ConfigFaults& faults) {
    FillDefaults(config);
    Check(config, needs_scope, faults);
  }));
  return config;
}

std::string DescribeScope(const config::v1::Scope& scope) {
  if (scope.host()) return "host";
  std::vector<std::string> parts;
  const auto add = [&parts](int count, std::string_view noun) {
    if (count > 0) parts.push_back(absl::StrFormat("%d %s%s", count, noun, count == 1 ? "" : "s"));
  };
  add(scope.network_namespaces_size(), "network namespace");
  add(scope.cgroups_size(), "cgroup");
  add(scope.pids_size(), "process tree");
  return absl::StrJoin(parts, ", ");
}

}  // namespace kindling::agent
