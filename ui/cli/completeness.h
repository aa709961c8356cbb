#pragma once

#include <string>

#include "ui/cli/style.h"

namespace kindling::v1 {
class Completeness;
}

namespace kindling::ui {

// True when an answer is not made of everything that happened: something was lost, or a note says
// what is missing. Exit code 3.
bool IsPartial(const v1::Completeness& completeness);

// "complete", or "99.2 % captured, 13 requests lost: kernel_ring 13", and one line for each note.
// Ends in a newline.
std::string DescribeCompleteness(const v1::Completeness& completeness, const Style& style);

}  // namespace kindling::ui
