#pragma once

#include <string_view>

#include "model/records.h"

namespace kindling::model {

// The name under which `bytes` are kept.
ContentHash HashOf(std::string_view bytes);

}  // namespace kindling::model
