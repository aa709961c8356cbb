#pragma once

// The metric series of DNS, one set for each edge, observer and transport (edge_labels.h) and for
// each name that was asked for, as a template. Stored: never rename.
namespace kindling::model::dns {

// Deltas, unless something else is said. A window without any has no point.
inline constexpr char kQueries[] = "dns_queries";          // that are over, by type and result
inline constexpr char kLatency[] = "dns_latency_seconds";  // histogram: of all that were answered
inline constexpr char kRetries[] = "dns_retries";  // queries that repeated an unanswered one
inline constexpr char kLateAnswers[] = "dns_late_answers";    // to queries that had timed out
inline constexpr char kTruncated[] = "dns_truncated";         // answers that did not fit
inline constexpr char kTcpFallbacks[] = "dns_tcp_fallbacks";  // asked again over TCP for that
// NXDOMAINs on the way through a search list to a name that there is; under the name without
// domain.
inline constexpr char kSearchWaste[] = "dns_search_waste";

inline constexpr char kName[] = "name";
inline constexpr char kType[] = "type";      // "A", "AAAA", ...
inline constexpr char kResult[] = "result";  // the response's code, or one of these
inline constexpr char kOk[] = "NOERROR";
inline constexpr char kTimeout[] = "timeout";
inline constexpr char kUnknown[] = "unknown";  // the capture may have lost its response

}  // namespace kindling::model::dns
