#include "agent/identity/workload_name.h"

#include <array>
#include <cctype>

#include "absl/strings/str_format.h"

namespace kindling::agent {
namespace {

constexpr size_t kContainerIdSize = 64;
constexpr size_t kShownIdSize = 12;
constexpr std::array<std::string_view, 10> kInterpreters = {
    "python", "node", "java", "ruby", "perl", "bash", "sh", "dash", "php", "mono"};

std::string_view BaseName(std::string_view path) {
  const size_t slash = path.rfind('/');
  return slash == std::string_view::npos ? path : path.substr(slash + 1);
}

std::string_view WithoutExtension(std::string_view name) {
  for (const std::string_view extension :
       {".py", ".js", ".mjs", ".jar", ".rb", ".pl", ".sh", ".php", ".exe"}) {
    if (name.size() > extension.size() && name.ends_with(extension)) {
      return name.substr(0, name.size() - extension.size());
    }
  }
  return name;
}

// "python3.11" is an interpreter as "python" is.
bool IsInterpreter(std::string_view program) {
  for (const std::string_view interpreter : kInterpreters) {
    if (!program.starts_with(interpreter)) continue;
    bool versioned = true;
    for (const char c : program.substr(interpreter.size())) {
      versioned = versioned && (std::isdigit(static_cast<unsigned char>(c)) != 0 || c == '.');
    }
    if (versioned) return true;
  }
  return false;
}

// The script, module or archive that an interpreter was told to run; empty: none, or inline code.
std::string_view ScriptOf(const ProcessFacts& facts) {
  for (size_t i = 1; i < facts.arguments.size(); ++i) {
    const std::string_view argument = facts.arguments[i];
    const bool has_next = i + 1 < facts.arguments.size();
    if (argument == "-c" || argument == "-e") return {};
    if ((argument == "-m" || argument == "-jar") && has_next) return facts.arguments[i + 1];
    if ((argument == "-cp" || argument == "-classpath" || argument == "-X" || argument == "-W") &&
        has_next) {
      ++i;
      continue;
    }
    if (!argument.starts_with("-")) return argument;
  }
  return {};
}

}  // namespace

std::string_view ContainerIdOf(std::string_view cgroup) {
  size_t run = 0;
  for (size_t i = 0; i <= cgroup.size(); ++i) {
    const bool hex = i < cgroup.size() && std::isxdigit(static_cast<unsigned char>(cgroup[i])) != 0;
    if (hex) {
      ++run;
      continue;
    }
    if (run == kContainerIdSize) return cgroup.substr(i - run, run);
    run = 0;
  }
  return {};
}

std::string_view UnitOf(std::string_view cgroup) {
  constexpr std::string_view kSuffix = ".service";
  while (!cgroup.empty()) {
    const std::string_view component = BaseName(cgroup);
    if (component.ends_with(kSuffix) && component.size() > kSuffix.size()) {
      return component.starts_with("user@")
                 ? std::string_view()
                 : component.substr(0, component.size() - kSuffix.size());
    }
    const size_t slash = cgroup.rfind('/');
    if (slash == std::string_view::npos) break;
    cgroup = cgroup.substr(0, slash);
  }
  return {};
}

std::string ProgramName(const ProcessFacts& facts) {
  std::string_view path = facts.executable;
  constexpr std::string_view kDeleted = " (deleted)";
  if (path.ends_with(kDeleted)) path.remove_suffix(kDeleted.size());
  std::string_view program = BaseName(path);
  // One file under several names, as busybox or Debian's redis-server: what it was called by, if
  // the process still goes by that name.
  const std::string_view called =
      facts.arguments.empty()
          ? std::string_view()
          : BaseName(std::string_view(facts.arguments[0]).substr(0, facts.arguments[0].find(' ')));
  if (program.empty() || (!facts.comm.empty() && called == facts.comm)) program = facts.comm;
  if (program.empty()) return "unknown";
  if (IsInterpreter(program)) {
    const std::string_view script = WithoutExtension(BaseName(ScriptOf(facts)));
    if (!script.empty()) return std::string(script);
  }
  return std::string(program);
}

WorkloadName NameWorkload(const ProcessFacts& facts, const ServedAddress& served,
                          std::string_view own_cgroup) {
  const std::string program = ProgramName(facts);
  const std::string_view container = ContainerIdOf(facts.cgroup);
  if (!container.empty() && container != ContainerIdOf(own_cgroup)) {
    return {absl::StrFormat("%s/%s", program, container.substr(0, kShownIdSize)), "container"};
  }
  const std::string_view unit = UnitOf(facts.cgroup);
  if (!unit.empty() && unit != UnitOf(own_cgroup)) return {std::string(unit), "unit"};
  if (served.tcp_port != 0) return {absl::StrFormat("%s:%d", program, served.tcp_port), "process"};
  if (served.udp_port != 0) return {absl::StrFormat("%s:%d", program, served.udp_port), "process"};
  if (!served.unix_path.empty()) {
    return {absl::StrFormat("%s:%s", program, served.unix_path), "process"};
  }
  return {program, "process"};
}

}  // namespace kindling::agent
