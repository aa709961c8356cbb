#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "model/host_metrics.h"
#include "storage/blocks/metric_block.h"

namespace kindling::v1 {
class HostNetwork;
class Interface;
class NetworkNamespace;
}  // namespace kindling::v1

namespace kindling::controller {

// What the series of model/host_metrics.h say of one place, a device or a namespace or a host, over
// some windows.
class InterfaceSums {
 public:
  // `detail` is the value of the metric's detail label.
  void Add(model::host::Metric metric, std::string_view detail,
           const storage::MetricWindow& window);

  // Of all details.
  double Sum(model::host::Metric metric) const;
  // Windows as they were sent that had the metric.
  double Points(model::host::Metric metric) const;

  // Everything but where it is.
  void WriteTo(v1::Interface* out) const;
  void WriteTo(v1::NetworkNamespace* out) const;
  void WriteTo(v1::HostNetwork* out) const;

 private:
  struct Figure {
    double points = 0;
    double sum = 0;
    double most = 0;
    double last = 0;
    int64_t first_ns = INT64_MAX;
    int64_t last_ns = INT64_MIN;
  };
  using Details = std::map<std::string, Figure, std::less<>>;

  const Details& Of(model::host::Metric metric) const;
  double Most(model::host::Metric metric) const;
  double Last(model::host::Metric metric) const;
  double Seconds() const;  // see v1::Interface

  std::map<model::host::Metric, Details> figures_;
};

}  // namespace kindling::controller
