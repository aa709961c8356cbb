#pragma once

#include "model/records.h"

namespace kindling::v1 {
class Batch;
}  // namespace kindling::v1

namespace kindling::agent {

// Writes `batch` in the columns of kindling.v1.Batch: texts and parties once each, times as
// differences, and no column at all where every row has the default.
// Names of metrics and labels must be UTF-8 and at most 8 KiB: changed ones might not be in order.
// `out` is cleared first. Of batch.id only epoch and sequence travel; the rest is in Hello.
void EncodeBatch(const model::Batch& batch, v1::Batch* out);

}  // namespace kindling::agent
