#include "agent/protocols/testing/turns_file.h"

#include <charconv>
#include <fstream>
#include <optional>
#include <string_view>

#include "gtest/gtest.h"

namespace kindling::agent {
namespace {

std::optional<std::string> Unescape(std::string_view text) {
  std::string bytes;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\\') {
      bytes += text[i];
      continue;
    }
    if (++i == text.size()) return std::nullopt;
    switch (text[i]) {
      case 'n':
        bytes += '\n';
        break;
      case 'r':
        bytes += '\r';
        break;
      case '\\':
        bytes += '\\';
        break;
      case 'x': {
        if (i + 2 >= text.size()) return std::nullopt;
        int value = 0;
        const char* begin = text.data() + i + 1;
        const auto read = std::from_chars(begin, begin + 2, value, 16);
        if (read.ptr != begin + 2) return std::nullopt;
        bytes += static_cast<char>(value);
        i += 2;
        break;
      }
      default:
        return std::nullopt;
    }
  }
  return bytes;
}

}  // namespace

std::vector<Turn> ReadTurnsFile(const std::string& path) {
  std::ifstream file(path);
  EXPECT_TRUE(file) << "cannot read " << path;
  std::vector<Turn> turns;
  std::string line;
  while (std::getline(file, line)) {
    const bool is_request = line.substr(0, 2) == "> ";
    std::optional<std::string> bytes =
        Unescape(std::string_view(line).substr(line.size() < 2 ? 0 : 2));
    if ((!is_request && line.substr(0, 2) != "< ") || !bytes.has_value()) {
      ADD_FAILURE() << path << ":" << turns.size() + 1 << ": not a turn";
      return {};
    }
    turns.push_back({is_request ? Flow::kRequest : Flow::kResponse, *std::move(bytes)});
  }
  EXPECT_FALSE(turns.empty()) << path;
  return turns;
}

}  // namespace kindling::agent
