#include "ui/cli/message_output.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>
#include <google/protobuf/util/json_util.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_format.h"
#include "base/utf8.h"
#include "ui/cli/text.h"

namespace kindling::ui {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

namespace {

std::string Quoted(std::string_view text) {
  std::string out = "\"";
  while (!text.empty()) {
    const std::string_view before = text;
    const auto point = base::TakeUtf8(text);
    if (!point) {
      out += "\\ufffd";
    } else if (*point == '"' || *point == '\\') {
      out += {'\\', static_cast<char>(*point)};
    } else {
      const std::string_view character = before.substr(0, before.size() - text.size());
      // What cannot be printed as it is needs an escape in YAML too.
      if (CleanText(character) == character) {
        out += character;
      } else if (*point > 0xffff) {
        out += absl::StrFormat("\\U%08x", static_cast<uint32_t>(*point));
      } else {
        out += absl::StrFormat("\\u%04x", static_cast<uint32_t>(*point));
      }
    }
  }
  return out + "\"";
}

// With as many digits as it takes, as protobuf prints it in JSON.
std::string Number(double value, int digits) {
  if (std::isnan(value)) return "\"NaN\"";
  if (std::isinf(value)) return value > 0 ? "\"Infinity\"" : "\"-Infinity\"";
  const std::string text = absl::StrFormat("%.*g", digits, value);
  if (std::strtod(text.c_str(), nullptr) == value) return text;
  return absl::StrFormat("%.*g", digits + (digits > 6 ? 2 : 3), value);
}

// One value that is no message; `index` < 0: of a field that is not repeated.
std::string Scalar(const Message& message, const FieldDescriptor& field, int index) {
  const Reflection& r = *message.GetReflection();
  const bool one = index < 0;
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32:
      return std::to_string(one ? r.GetInt32(message, &field)
                                : r.GetRepeatedInt32(message, &field, index));
    case FieldDescriptor::CPPTYPE_UINT32:
      return std::to_string(one ? r.GetUInt32(message, &field)
                                : r.GetRepeatedUInt32(message, &field, index));
    case FieldDescriptor::CPPTYPE_INT64:
      return Quoted(std::to_string(one ? r.GetInt64(message, &field)
                                       : r.GetRepeatedInt64(message, &field, index)));
    case FieldDescriptor::CPPTYPE_UINT64:
      return Quoted(std::to_string(one ? r.GetUInt64(message, &field)
                                       : r.GetRepeatedUInt64(message, &field, index)));
    case FieldDescriptor::CPPTYPE_DOUBLE:
      return Number(
          one ? r.GetDouble(message, &field) : r.GetRepeatedDouble(message, &field, index), 15);
    case FieldDescriptor::CPPTYPE_FLOAT:
      return Number(one ? r.GetFloat(message, &field) : r.GetRepeatedFloat(message, &field, index),
                    6);
    case FieldDescriptor::CPPTYPE_BOOL:
      return (one ? r.GetBool(message, &field) : r.GetRepeatedBool(message, &field, index))
                 ? "true"
                 : "false";
    case FieldDescriptor::CPPTYPE_ENUM:
      return Quoted(
          (one ? r.GetEnum(message, &field) : r.GetRepeatedEnum(message, &field, index))->name());
    case FieldDescriptor::CPPTYPE_STRING: {
      std::string scratch;
      return Quoted(one ? r.GetStringReference(message, &field, &scratch)
                        : r.GetRepeatedStringReference(message, &field, index, &scratch));
    }
    case FieldDescriptor::CPPTYPE_MESSAGE:
      break;
  }
  return "null";
}

void Write(const Message& message, const std::string& indent, std::string* out);

void WriteMap(const Message& message, const FieldDescriptor& field, const std::string& indent,
              std::string* out) {
  const Reflection& r = *message.GetReflection();
  const FieldDescriptor& key = *field.message_type()->map_key();
  const FieldDescriptor& value = *field.message_type()->map_value();
  std::vector<std::pair<std::string, const Message*>> entries;
  for (int i = 0; i < r.FieldSize(message, &field); ++i) {
    const Message& entry = r.GetRepeatedMessage(message, &field, i);
    entries.emplace_back(Scalar(entry, key, -1), &entry);
  }
  std::sort(entries.begin(), entries.end(),
            [](const auto& a, const auto& b) { return a.first < b.first; });
  *out += entries.empty() ? " {}\n" : "\n";
  for (const auto& [name, entry] : entries) {
    *out += indent + "  " + name + ":";
    if (value.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
      *out += "\n";
      Write(entry->GetReflection()->GetMessage(*entry, &value), indent + "    ", out);
    } else {
      *out += " " + Scalar(*entry, value, -1) + "\n";
    }
  }
}

void WriteList(const Message& message, const FieldDescriptor& field, const std::string& indent,
               std::string* out) {
  const Reflection& r = *message.GetReflection();
  const int size = r.FieldSize(message, &field);
  *out += size == 0 ? " []\n" : "\n";
  for (int i = 0; i < size; ++i) {
    if (field.cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE) {
      *out += indent + "- " + Scalar(message, field, i) + "\n";
      continue;
    }
    const size_t start = out->size();
    Write(r.GetRepeatedMessage(message, &field, i), indent + "  ", out);
    // The first line of the item carries the dash.
    if (out->size() > start) {
      (*out)[start + indent.size()] = '-';
    } else {
      *out += indent + "- {}\n";
    }
  }
}

void Write(const Message& message, const std::string& indent, std::string* out) {
  const Reflection& r = *message.GetReflection();
  const auto& type = *message.GetDescriptor();
  for (int i = 0; i < type.field_count(); ++i) {
    const FieldDescriptor& field = *type.field(i);
    const bool is_message = field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE;
    if (!field.is_repeated() && field.has_presence() && !r.HasField(message, &field)) continue;
    *out += indent + field.json_name() + ":";
    if (field.is_map()) {
      WriteMap(message, field, indent, out);
    } else if (field.is_repeated()) {
      WriteList(message, field, indent, out);
    } else if (!is_message) {
      *out += " " + Scalar(message, field, -1) + "\n";
    } else {
      const Message& inner = r.GetMessage(message, &field);
      *out += inner.GetDescriptor()->field_count() == 0 ? " {}\n" : "\n";
      Write(inner, indent + "  ", out);
    }
  }
}

}  // namespace

absl::StatusOr<std::string> ToJson(const Message& message) {
  google::protobuf::util::JsonPrintOptions options;
  options.add_whitespace = true;
  options.always_print_primitive_fields = true;
  std::string json;
  const auto status = google::protobuf::util::MessageToJsonString(message, &json, options);
  if (!status.ok()) return absl::InternalError("cannot print JSON: " + status.ToString());
  return json;
}

std::string ToYaml(const Message& message) {
  std::string out;
  Write(message, "", &out);
  return out;
}

}  // namespace kindling::ui
