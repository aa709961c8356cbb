#pragma once

#include <string>

namespace kindling::v1 {
class Series;
}

namespace kindling::ui {

// As Prometheus writes it: tcp_srtt_seconds{host="a",peer="b"}.
std::string SeriesText(const v1::Series& series);

}  // namespace kindling::ui
