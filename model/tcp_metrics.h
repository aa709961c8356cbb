#pragma once

// The metric series of TCP, one set for each edge and observer (edge_labels.h). Sent and received
// are the observer's. Stored: never rename.
namespace kindling::model::tcp {

// Deltas, unless something else is said. A window without any has no point.
inline constexpr char kConnects[] = "tcp_connects";  // by result: "ok", or the errno's name
inline constexpr char kConnectTime[] = "tcp_connect_seconds";  // histogram, by result
inline constexpr char kAccepts[] = "tcp_accepts";
inline constexpr char kEnds[] = "tcp_ends";                   // connections that ended, by reason
inline constexpr char kRetransmits[] = "tcp_retransmits";     // segments, by kind
inline constexpr char kLostSegments[] = "tcp_lost_segments";  // as the sender judged
inline constexpr char kOutOfOrder[] = "tcp_out_of_order_segments";
inline constexpr char kSentSegments[] = "tcp_sent_segments";  // with data, repetitions included
inline constexpr char kReceivedSegments[] = "tcp_received_segments";
inline constexpr char kSentBytes[] = "tcp_sent_bytes";  // each once
inline constexpr char kReceivedBytes[] = "tcp_received_bytes";
inline constexpr char kResetsSent[] = "tcp_resets_sent";  // by reason, where the kernel gave one
inline constexpr char kResetsReceived[] = "tcp_resets_received";
inline constexpr char kBusyTime[] = "tcp_busy_seconds";  // with something to send or not yet acked
inline constexpr char kReceiverLimitedTime[] = "tcp_receiver_limited_seconds";  // of it
inline constexpr char kSenderLimitedTime[] = "tcp_sender_limited_seconds";      // of it
// About one observation of each open connection in a window, and one at its end.
inline constexpr char kSrtt[] = "tcp_srtt_seconds";        // histogram
inline constexpr char kCongestion[] = "tcp_congestion";    // by state, but for "open"
inline constexpr char kZeroWindow[] = "tcp_zero_windows";  // the receiver took nothing
inline constexpr char kMinRtt[] = "tcp_min_rtt_seconds";   // gauge: the least of them
// Of listeners, which have no client.
inline constexpr char kListenDrops[] = "tcp_listen_drops";
inline constexpr char kAcceptQueue[] = "tcp_accept_queue";         // gauge: the longest
inline constexpr char kAcceptQueueMax[] = "tcp_accept_queue_max";  // gauge: of that listener

inline constexpr char kResult[] = "result";
inline constexpr char kOk[] = "ok";
inline constexpr char kReason[] = "reason";
inline constexpr char kKind[] = "kind";
inline constexpr char kState[] = "state";

}  // namespace kindling::model::tcp
