#include "agent/kernel/libbpf_log.h"

#include <bpf/libbpf.h>
#include <glog/logging.h>

#include <cstdarg>
#include <cstdio>
#include <deque>
#include <mutex>

namespace kindling::agent {
namespace {

constexpr size_t kLinesKept = 4;
constexpr size_t kLineBytes = 400;

thread_local std::deque<std::string> last_lines;

int Print(libbpf_print_level level, const char* format, va_list arguments) {
  if (level == LIBBPF_DEBUG && !VLOG_IS_ON(2)) return 0;
  // A verifier log comes as one message of many lines: its end says what is wrong.
  static thread_local char text[64 << 10];
  std::vsnprintf(text, sizeof(text), format, arguments);
  std::string line(text);
  while (!line.empty() && line.back() == '\n') line.pop_back();
  VLOG(1) << "libbpf: " << line;
  if (level == LIBBPF_DEBUG) return 0;
  if (line.size() > kLineBytes) line.erase(0, line.size() - kLineBytes);
  last_lines.push_back(std::move(line));
  if (last_lines.size() > kLinesKept) last_lines.pop_front();
  return 0;
}

}  // namespace

void InstallLibbpfLog() {
  static std::once_flag once;
  std::call_once(once, [] { libbpf_set_print(Print); });
}

std::string TakeLibbpfLog() {
  std::string joined;
  for (const std::string& line : last_lines) {
    if (!joined.empty()) joined += "; ";
    joined += line;
  }
  last_lines.clear();
  return joined;
}

}  // namespace kindling::agent
