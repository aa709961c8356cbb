#pragma once

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <string>
#include <vector>

namespace kindling::load {

// `--name value` arguments of the bench's programs. What is wrong ends the program with status 2.
class Flags {
 public:
  Flags(int argc, char** argv) : program_(argv[0]) {
    for (int i = 1; i < argc; i += 2) {
      const std::string name = argv[i];
      if (!name.starts_with("--") || i + 1 == argc) Fail("expected --name value, found " + name);
      values_[name.substr(2)].push_back(argv[i + 1]);
    }
  }

  std::string Text(const std::string& name, std::string otherwise = "") {
    const std::vector<std::string> all = Texts(name);
    return all.empty() ? otherwise : all.back();
  }
  std::vector<std::string> Texts(const std::string& name) {
    const auto found = values_.find(name);
    if (found == values_.end()) return {};
    std::vector<std::string> out = std::move(found->second);
    values_.erase(found);
    return out;
  }
  double Number(const std::string& name, double otherwise) {
    const std::string text = Text(name);
    if (text.empty()) return otherwise;
    char* end = nullptr;
    const double value = std::strtod(text.c_str(), &end);
    if (*end != '\0') Fail("--" + name + ": not a number: " + text);
    return value;
  }
  int64_t Whole(const std::string& name, int64_t otherwise) {
    const std::string text = Text(name);
    if (text.empty()) return otherwise;
    char* end = nullptr;
    const int64_t value = std::strtoll(text.c_str(), &end, 10);
    if (*end != '\0') Fail("--" + name + ": not a whole number: " + text);
    return value;
  }
  // After the last flag was asked for.
  void CheckAllUsed() {
    if (!values_.empty()) Fail("unknown argument --" + values_.begin()->first);
  }

  [[noreturn]] void Fail(const std::string& what) const {
    std::fprintf(stderr, "%s: %s\n", program_.c_str(), what.c_str());
    std::exit(2);
  }

 private:
  const std::string program_;
  std::map<std::string, std::vector<std::string>> values_;
};

}  // namespace kindling::load
