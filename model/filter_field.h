#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

// The fields of the filter language, docs/filter_language.md.
namespace kindling::model {

enum class FilterField : uint8_t {
  kService,
  kClient,
  kServer,
  kHost,
  kAddress,
  kProtocol,
  kTransport,
  kEndpoint,
  kStatus,
  kCode,
  kOutcome,
  kSide,
  kSlow,
  kLatency,
  kWait,
  kConnect,
  kSent,
  kReceived,
  kPid,
  kEvent,
  kExecutable,
  kCommand,
  kNetns,
  kDevice,
  kAttribute,  // attr.NAME
};

// What a field's value is, and so which operators and literals it takes.
enum class FieldKind : uint8_t {
  kText,      // = != =~ !~ in
  kTextual,   // text that may hold a number: also > >= < <=
  kChoice,    // one of a list of words: = != in
  kNumber,    // = != > >= < <= in
  kDuration,  // as kNumber, with a unit
  kBytes,     // as kNumber, with or without a unit
};

// The kinds of record a filter is asked of.
// kEnds: what is told by the ends of an edge alone. kInterface: network devices, namespaces, hosts.
enum class RecordKind : uint8_t {
  kSpan = 1,
  kEdge = 2,
  kProcess = 4,
  kTcp = 8,
  kEnds = 16,
  kInterface = 32
};

struct FilterFieldInfo {
  FilterField field;
  std::string_view name;   // "attr." for kAttribute
  std::string_view alias;  // or empty
  FieldKind kind;
  uint8_t records;  // RecordKind bits: the records that have it
  std::string_view help;
};

// In the order of the documentation.
std::span<const FilterFieldInfo> FilterFields();
const FilterFieldInfo& InfoOf(FilterField field);

// By name or alias; any "attr.NAME" is kAttribute. nullptr: no such field.
const FilterFieldInfo* FindFilterField(std::string_view name);

// The words a kChoice field takes.
std::vector<std::string> ChoicesOf(FilterField field);

// Names of the fields that `kind` has; nullopt: of all.
std::vector<std::string> FilterFieldNames(std::optional<RecordKind> kind);

// "spans", "edges", "processes", "TCP edges".
std::string_view PluralOf(RecordKind kind);

}  // namespace kindling::model
