#pragma once

#include "base/clock.h"
#include "base/metrics.h"

namespace kindling::storage {
class StoreAdmin;
}

namespace kindling::controller {

// What the store says of itself to Prometheus, asked once for each scrape. `admin` and `clock` must
// outlive `metrics`.
void AddStoreMetrics(base::Metrics& metrics, storage::StoreAdmin& admin, const base::Clock& clock);

}  // namespace kindling::controller
