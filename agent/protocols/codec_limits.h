#pragma once

#include <cstddef>
#include <cstdint>

namespace kindling::agent {

// Bounds that hold for every codec, per connection. Past a bound the codec counts and goes on.

// Bytes of one flow kept between two segments. Past it the kept bytes are dropped, reported with
// RecordSink::OnUnparsed, and the codec resynchronises.
inline constexpr size_t kMaxBufferedBytes = 64 << 10;

// Requests that wait for their response. Past it a further request is not held: it is reported with
// OnUnparsed(bytes, 1) and only counted, so that its response, which comes after those of all held
// requests where responses are in order, is dropped too and no response meets the wrong request.
inline constexpr size_t kMaxOpenRequests = 1024;

// Text that goes into a record.
inline constexpr size_t kMaxEndpointBytes = 200;
inline constexpr size_t kMaxAttributeBytes = 256;
inline constexpr size_t kMaxStatementBytes = 2048;

}  // namespace kindling::agent
