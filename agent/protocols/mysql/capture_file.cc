#include "agent/protocols/mysql/capture_file.h"

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>

namespace kindling::agent::mysql {

std::vector<Turn> ReadCapture(const std::string& name) {
  const std::string path = "agent/protocols/mysql/testdata/" + name + ".cap";
  std::ifstream file(path, std::ios::binary);
  const std::string bytes((std::istreambuf_iterator<char>(file)), {});
  const auto fail = [&path] {
    std::fprintf(stderr, "cannot read %s\n", path.c_str());
    std::abort();
  };
  if (bytes.empty()) fail();
  std::vector<Turn> turns;
  for (size_t at = 0; at < bytes.size();) {
    if (at + 5 > bytes.size()) fail();
    size_t size = 0;
    for (int i = 3; i >= 0; --i) size = size << 8 | static_cast<unsigned char>(bytes[at + 1 + i]);
    if (at + 5 + size > bytes.size()) fail();
    turns.push_back({.flow = bytes[at] == 0 ? Flow::kRequest : Flow::kResponse,
                     .bytes = bytes.substr(at + 5, size)});
    at += 5 + size;
  }
  return turns;
}

std::vector<Turn> WithoutHandshake(const std::vector<Turn>& turns) {
  size_t first = 0;
  while (first < turns.size() &&
         (turns[first].flow != Flow::kRequest || turns[first].bytes.at(3) != 0)) {
    ++first;
  }
  return {turns.begin() + static_cast<ptrdiff_t>(first), turns.end()};
}

}  // namespace kindling::agent::mysql
