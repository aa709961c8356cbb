#include "agent/identity/procfs_reader.h"

#include <unistd.h>

#include <charconv>
#include <climits>
#include <fstream>

#include "absl/strings/str_format.h"

namespace kindling::agent {
namespace {

// At most `limit` bytes of a file of procfs; empty when it cannot be read.
std::string ReadFile(const std::string& path, size_t limit) {
  std::ifstream file(path, std::ios::binary);
  std::string text(limit, '\0');
  file.read(text.data(), static_cast<std::streamsize>(limit));
  text.resize(static_cast<size_t>(std::max<std::streamsize>(file.gcount(), 0)));
  return text;
}

template <typename T>
T ParseNumber(std::string_view text) {
  T value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

// Field `index` (1-based, as proc(5) counts) of /proc/PID/stat, for fields behind the command,
// which may itself hold spaces and parentheses.
std::string_view StatField(std::string_view stat, int index) {
  const size_t end = stat.rfind(')');
  if (end == std::string_view::npos || end + 2 > stat.size()) return {};
  stat.remove_prefix(end + 2);
  for (int field = 3; field < index; ++field) {
    const size_t space = stat.find(' ');
    if (space == std::string_view::npos) return {};
    stat.remove_prefix(space + 1);
  }
  return stat.substr(0, stat.find_first_of(" \n"));
}

}  // namespace

std::string CgroupOf(std::string_view proc_cgroup) {
  std::string unified;
  std::string systemd;
  while (!proc_cgroup.empty()) {
    const size_t end = proc_cgroup.find('\n');
    const std::string_view line = proc_cgroup.substr(0, end);
    if (line.starts_with("0::")) {
      unified = line.substr(3);
    } else if (const size_t at = line.find(":name=systemd:"); at != std::string_view::npos) {
      systemd = line.substr(at + 14);
    }
    if (end == std::string_view::npos) break;
    proc_cgroup.remove_prefix(end + 1);
  }
  return unified.empty() || unified == "/" ? systemd : unified;
}

ProcessFacts ProcfsReader::Read(uint32_t tgid) {
  ProcessFacts facts;
  const std::string directory = absl::StrFormat("%s/%d", root_, tgid);
  const std::string stat = ReadFile(directory + "/stat", 4096);
  if (stat.empty()) return facts;
  facts.found = true;
  facts.parent_tgid = ParseNumber<uint32_t>(StatField(stat, 4));
  facts.start_ticks = ParseNumber<uint64_t>(StatField(stat, 22));

  char link[PATH_MAX];
  const ssize_t size = readlink((directory + "/exe").c_str(), link, sizeof(link));
  if (size > 0) facts.executable.assign(link, static_cast<size_t>(size));

  facts.comm = ReadFile(directory + "/comm", 64);
  while (!facts.comm.empty() && facts.comm.back() == '\n') facts.comm.pop_back();

  const std::string arguments = ReadFile(directory + "/cmdline", ProcessFacts::kMaxArgumentsBytes);
  for (size_t begin = 0; begin < arguments.size();) {
    const size_t end = std::min(arguments.find('\0', begin), arguments.size());
    facts.arguments.emplace_back(arguments, begin, end - begin);
    begin = end + 1;
  }
  facts.cgroup = CgroupOf(ReadFile(directory + "/cgroup", 8192));
  return facts;
}

}  // namespace kindling::agent
