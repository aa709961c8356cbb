#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "model/filter.h"
#include "model/record_fields.h"

using kindling::model::Filter;

// The normal form of a filter parses to the same filter and matches the same records; a filter
// never matches together with its negation.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto completion = kindling::model::CompleteFilter(text);
  if (completion.offset > text.size()) std::abort();
  const auto filter = Filter::Parse(text);
  if (!filter.ok()) {
    if (std::string(filter.status().message()).rfind("column ", 0) != 0) std::abort();
    return 0;
  }
  const std::string normal = filter->ToString();
  const auto again = Filter::Parse(normal);
  // Quotes may make it longer than a filter may be.
  if (!again.ok()) {
    if (normal.size() <= 8192) std::abort();
    return 0;
  }
  if (again->ToString() != normal) std::abort();

  kindling::model::Span span;
  span.endpoint = "GET /products/*";
  span.status_code = "500";
  span.protocol = kindling::model::Protocol::kHttp;
  span.wait_duration_ns = 5'000'000;
  span.attributes = {{"http.method", "GET"}};
  const kindling::model::SpanFields fields(span, {"shop:8080", "nginx:80", "a", "b"});
  const bool matches = filter->Matches(fields);
  if (matches != again->Matches(fields)) std::abort();
  if (const auto inverse = Filter::Parse("not (" + normal + ")");
      inverse.ok() && !filter->matches_all() && inverse->Matches(fields) == matches) {
    std::abort();
  }
  return 0;
}
