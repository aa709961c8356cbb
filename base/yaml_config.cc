#include "base/yaml_config.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <map>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "base/read_file.h"
#include "base/status_macros.h"
#include "base/suggest.h"

namespace kindling::base {

using google::protobuf::Descriptor;
using google::protobuf::EnumValueDescriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

namespace {

constexpr size_t kMaxFaultsShown = 50;
constexpr size_t kMaxQuotedBytes = 60;

// A value of the file as it is shown in a message.
std::string Shown(const YamlNode& node) {
  switch (node.kind) {
    case YamlNode::Kind::kNull:
      return "nothing";
    case YamlNode::Kind::kList:
      return "a list";
    case YamlNode::Kind::kMap:
      return "a map";
    case YamlNode::Kind::kScalar:
      break;
  }
  std::string text = node.text.substr(0, kMaxQuotedBytes);
  for (char& c : text) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = '?';
  }
  return "\"" + text + (node.text.size() > kMaxQuotedBytes ? "...\"" : "\"");
}

std::vector<std::string> FieldNames(const Descriptor& type) {
  std::vector<std::string> names;
  for (int i = 0; i < type.field_count(); ++i) names.push_back(type.field(i)->name());
  return names;
}

std::string Join(const std::string& path, const std::string& name) {
  return path.empty() ? name : path + "." + name;
}

}  // namespace

void ConfigFaults::Add(std::string_view field, std::string_view what) {
  int line = 0;
  for (std::string_view at = field; !at.empty();) {
    if (faulted_.contains(at)) return;
    if (const auto found = lines_.find(at); found != lines_.end() && line == 0) {
      line = found->second;
    }
    const size_t cut = at.find_last_of(".[");
    at = cut == std::string_view::npos ? std::string_view() : at.substr(0, cut);
  }
  faulted_.insert(std::string(field));
  faults_.push_back({line, absl::StrFormat("%s: %s", field, what)});
}

// Copies a tree into a message by reflection. Never stops at a fault.
class YamlBinder {
 public:
  explicit YamlBinder(ConfigFaults& faults) : faults_(faults) {}

  void Bind(const YamlNode& node, Message* out, const std::string& path) {
    if (node.kind == YamlNode::Kind::kNull) return;
    if (node.kind != YamlNode::Kind::kMap) {
      FaultAt(node.line, path, "expected \"key: value\" settings, found " + Shown(node));
      return;
    }
    std::map<std::string, int> first_lines;
    std::map<const google::protobuf::OneofDescriptor*, std::string> choices;
    const Descriptor& type = *out->GetDescriptor();
    for (const YamlNode::Entry& entry : node.entries) {
      if (!NoteKey(entry, path, &first_lines)) continue;
      const FieldDescriptor* field = type.FindFieldByName(entry.key);
      if (field == nullptr) {
        FaultAt(entry.line, Join(path, entry.key),
                "unknown key" + DidYouMean(entry.key, FieldNames(type)));
        continue;
      }
      if (const auto* oneof = field->real_containing_oneof();
          oneof != nullptr && entry.value.kind != YamlNode::Kind::kNull) {
        const auto [other, is_new] = choices.emplace(oneof, entry.key);
        if (!is_new) {
          FaultAt(entry.line, Join(path, entry.key),
                  "cannot be set together with \"" + other->second + "\"");
          continue;
        }
      }
      BindField(*field, entry.value, out, Join(path, entry.key));
    }
  }

 private:
  void FaultAt(int line, const std::string& path, std::string what) {
    faults_.faulted_.insert(path);
    faults_.faults_.push_back({line, path.empty() ? std::move(what) : path + ": " + what});
  }

  // Remembers the key's line; false for a duplicate.
  bool NoteKey(const YamlNode::Entry& entry, const std::string& path,
               std::map<std::string, int>* first_lines) {
    const auto [first, is_new] = first_lines->emplace(entry.key, entry.line);
    if (!is_new) {
      FaultAt(entry.line, Join(path, entry.key),
              absl::StrFormat("set twice, first on line %d", first->second));
      return false;
    }
    faults_.lines_[Join(path, entry.key)] = entry.line;
    return true;
  }

  void BindField(const FieldDescriptor& field, const YamlNode& node, Message* out,
                 const std::string& path) {
    if (node.kind == YamlNode::Kind::kNull) return;
    if (field.is_map()) {
      BindMap(field, node, out, path);
    } else if (field.is_repeated()) {
      if (node.kind != YamlNode::Kind::kList) {
        FaultAt(node.line, path, "expected a list, found " + Shown(node) + "; write [a, b]");
        return;
      }
      for (size_t i = 0; i < node.items.size(); ++i) {
        const std::string item_path = absl::StrFormat("%s[%d]", path, i);
        faults_.lines_[item_path] = node.items[i].line;
        BindOne(field, node.items[i], out, item_path);
      }
    } else {
      BindOne(field, node, out, path);
    }
  }

  void BindMap(const FieldDescriptor& field, const YamlNode& node, Message* out,
               const std::string& path) {
    if (node.kind != YamlNode::Kind::kMap) {
      FaultAt(node.line, path, "expected \"key: value\" pairs, found " + Shown(node));
      return;
    }
    std::map<std::string, int> first_lines;
    const Descriptor& entry_type = *field.message_type();
    for (const YamlNode::Entry& entry : node.entries) {
      if (!NoteKey(entry, path, &first_lines)) continue;
      Message* pair = out->GetReflection()->AddMessage(out, &field);
      YamlNode key;
      key.kind = YamlNode::Kind::kScalar;
      key.line = entry.line;
      key.text = entry.key;
      BindOne(*entry_type.map_key(), key, pair, Join(path, entry.key));
      BindOne(*entry_type.map_value(), entry.value, pair, Join(path, entry.key));
    }
  }

  // One value: of a plain field, or one item of a list.
  void BindOne(const FieldDescriptor& field, const YamlNode& node, Message* out,
               const std::string& path) {
    const Reflection& reflection = *out->GetReflection();
    const bool add = field.is_repeated();
    if (field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
      Bind(node, add ? reflection.AddMessage(out, &field) : reflection.MutableMessage(out, &field),
           path);
      return;
    }
    if (node.kind != YamlNode::Kind::kScalar) {
      FaultAt(node.line, path, "expected one value, found " + Shown(node));
      return;
    }
    switch (field.cpp_type()) {
      case FieldDescriptor::CPPTYPE_INT32:
        if (int32_t v; Number(node, path, &v)) {
          add ? reflection.AddInt32(out, &field, v) : reflection.SetInt32(out, &field, v);
        }
        break;
      case FieldDescriptor::CPPTYPE_INT64:
        if (int64_t v; Number(node, path, &v)) {
          add ? reflection.AddInt64(out, &field, v) : reflection.SetInt64(out, &field, v);
        }
        break;
      case FieldDescriptor::CPPTYPE_UINT32:
        if (uint32_t v; Number(node, path, &v)) {
          add ? reflection.AddUInt32(out, &field, v) : reflection.SetUInt32(out, &field, v);
        }
        break;
      case FieldDescriptor::CPPTYPE_UINT64:
        if (uint64_t v; Number(node, path, &v)) {
          add ? reflection.AddUInt64(out, &field, v) : reflection.SetUInt64(out, &field, v);
        }
        break;
      case FieldDescriptor::CPPTYPE_DOUBLE:
        if (double v; Real(node, path, std::numeric_limits<double>::max(), &v)) {
          add ? reflection.AddDouble(out, &field, v) : reflection.SetDouble(out, &field, v);
        }
        break;
      case FieldDescriptor::CPPTYPE_FLOAT:
        if (double v; Real(node, path, std::numeric_limits<float>::max(), &v)) {
          const auto f = static_cast<float>(v);
          add ? reflection.AddFloat(out, &field, f) : reflection.SetFloat(out, &field, f);
        }
        break;
      case FieldDescriptor::CPPTYPE_BOOL:
        if (bool v; Truth(node, path, &v)) {
          add ? reflection.AddBool(out, &field, v) : reflection.SetBool(out, &field, v);
        }
        break;
      case FieldDescriptor::CPPTYPE_ENUM:
        if (const EnumValueDescriptor* v = Choice(field, node, path); v != nullptr) {
          add ? reflection.AddEnum(out, &field, v) : reflection.SetEnum(out, &field, v);
        }
        break;
      case FieldDescriptor::CPPTYPE_STRING:
        if (node.text.find('\0') != std::string::npos) {
          FaultAt(node.line, path, "text may not hold a NUL character");
          break;
        }
        add ? reflection.AddString(out, &field, node.text)
            : reflection.SetString(out, &field, node.text);
        break;
      case FieldDescriptor::CPPTYPE_MESSAGE:
        break;  // handled above
    }
  }

  template <typename T>
  bool Number(const YamlNode& node, const std::string& path, T* out) {
    const char* begin = node.text.data();
    const char* end = begin + node.text.size();
    const char* digits = begin;
    if (digits != end && (*digits == '-' || *digits == '+')) ++digits;
    const bool is_whole =
        digits != end && std::all_of(digits, end, [](char c) { return c >= '0' && c <= '9'; });
    if (!is_whole) {
      FaultAt(node.line, path, "expected a whole number, found " + Shown(node));
      return false;
    }
    const auto [stop, error] = std::from_chars(*begin == '+' ? digits : begin, end, *out);
    if (error != std::errc() || stop != end) {
      FaultAt(node.line, path,
              absl::StrFormat("%s is outside %d..%d", node.text.substr(0, kMaxQuotedBytes),
                              std::numeric_limits<T>::min(), std::numeric_limits<T>::max()));
      return false;
    }
    return true;
  }

  bool Real(const YamlNode& node, const std::string& path, double limit, double* out) {
    const char* end = node.text.data() + node.text.size();
    const auto [stop, error] = std::from_chars(node.text.data(), end, *out);
    if (stop == end && error == std::errc::result_out_of_range) {
      FaultAt(node.line, path, Shown(node) + " is too large or too small");
      return false;
    }
    if (error != std::errc() || stop != end || std::isnan(*out)) {
      FaultAt(node.line, path, "expected a number, found " + Shown(node));
      return false;
    }
    if (std::abs(*out) > limit) {
      FaultAt(node.line, path, Shown(node) + " is too large");
      return false;
    }
    return true;
  }

  bool Truth(const YamlNode& node, const std::string& path, bool* out) {
    const std::string& text = node.text;
    *out = text == "true" || text == "True" || text == "TRUE";
    if (*out || text == "false" || text == "False" || text == "FALSE") return true;
    FaultAt(node.line, path, "expected true or false, found " + Shown(node));
    return false;
  }

  const EnumValueDescriptor* Choice(const FieldDescriptor& field, const YamlNode& node,
                                    const std::string& path) {
    const auto* value = field.enum_type()->FindValueByName(node.text);
    if (value != nullptr) return value;
    std::vector<std::string> names;
    for (int i = 0; i < field.enum_type()->value_count(); ++i) {
      names.push_back(field.enum_type()->value(i)->name());
    }
    FaultAt(node.line, path,
            "expected one of " + absl::StrJoin(names, ", ") + ", found " + Shown(node));
    return nullptr;
  }

  ConfigFaults& faults_;
};

absl::Status ParseYamlConfig(std::string_view text, std::string_view name, Message* out,
                             const std::function<void(ConfigFaults&)>& check) {
  out->Clear();
  if (text.size() > kMaxConfigBytes) {
    return absl::InvalidArgumentError(
        absl::StrFormat("%s: longer than %d bytes", name, kMaxConfigBytes));
  }
  ConfigFaults faults;
  YamlNode root;
  std::vector<YamlFault> syntax = ParseYaml(text, &root);
  // What a broken file seems to say is not worth judging.
  if (syntax.empty()) {
    YamlBinder(faults).Bind(root, out, "");
    if (check) check(faults);
  }
  std::vector<YamlFault> all = std::move(faults.faults_);
  all.insert(all.end(), syntax.begin(), syntax.end());
  if (all.empty()) return absl::OkStatus();

  std::stable_sort(all.begin(), all.end(),
                   [](const YamlFault& a, const YamlFault& b) { return a.line < b.line; });
  std::string message;
  for (size_t i = 0; i < std::min(all.size(), kMaxFaultsShown); ++i) {
    if (i > 0) message += "\n";
    message += all[i].line > 0 ? absl::StrFormat("%s:%d: %s", name, all[i].line, all[i].what)
                               : absl::StrFormat("%s: %s", name, all[i].what);
  }
  if (all.size() > kMaxFaultsShown) {
    message += absl::StrFormat("\n%s: and %d more faults", name, all.size() - kMaxFaultsShown);
  }
  return absl::InvalidArgumentError(message);
}

absl::Status LoadYamlConfig(const std::string& path, Message* out,
                            const std::function<void(ConfigFaults&)>& check) {
  const absl::StatusOr<std::string> text = ReadFile(path, kMaxConfigBytes);
  if (absl::IsNotFound(text.status())) {
    return absl::NotFoundError(absl::StrFormat("%s: write this file, or name another with --config",
                                               std::string(text.status().message())));
  }
  RETURN_IF_ERROR(text.status());
  return ParseYamlConfig(*text, path, out, check);
}

}  // namespace kindling::base
