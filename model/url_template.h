#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace kindling::model {

// Gives one name to all URLs of one route: a function of the bytes alone (kRuleVersion).
//
// Scheme, authority, query, fragment and path parameters (";...") are dropped. A segment that looks
// like a value becomes "*": numbers, dates, UUIDs, hexadecimal and mixed ids, e-mail addresses,
// percent-encoded or non-ASCII text, and whatever is long. An id with a file extension keeps that:
// "/img/1234.jpg" is "/img/*.jpg".
//
// Limits: at most kMaxTemplateSegments segments and kMaxTemplateBytes bytes; "/**" stands for the
//         rest.
inline constexpr size_t kMaxTemplateSegments = 10;
inline constexpr size_t kMaxTemplateBytes = 128;

// Appends the template of an HTTP request target to `out`. Does not allocate if `out` has room.
void AppendUrlTemplate(std::string_view target, std::string& out);
std::string UrlTemplate(std::string_view target);

// The path of a request target: no scheme, authority, query or fragment. "/" if it has none.
std::string_view UrlPath(std::string_view target);

// Whether a path segment is a value rather than a part of a route.
bool LooksLikeId(std::string_view segment);

}  // namespace kindling::model
