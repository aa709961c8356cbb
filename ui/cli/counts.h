#pragma once

#include <string>

#include "google/protobuf/map.h"

// Counts of an answer, in cells of a table.
namespace kindling::ui {

using Counts = google::protobuf::Map<std::string, double>;

double SumOf(const Counts& counts);
// "3 ECONNREFUSED, 1 ETIMEDOUT", by name; "0" for none.
std::string ByName(const Counts& counts);
std::string CountOrDash(double count);  // "-" for 0

// "1ms/2ms"; "-" for nothing at all.
template <typename Format>
std::string Both(double first, double second, Format format) {
  if (first == 0 && second == 0) return "-";
  return format(first) + "/" + format(second);
}

}  // namespace kindling::ui
