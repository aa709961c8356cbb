#include "base/find_byte.h"

#include <string>
#include <string_view>
#include <vector>

#include "gtest/gtest.h"

namespace kindling::base {
namespace {

TEST(FindByteTest, AgreesWithFindAtEveryLengthAndPlace) {
  for (size_t size = 0; size < 70; ++size) {
    for (size_t place = 0; place <= size; ++place) {
      // On the heap and of exact size: a sanitizer sees a read past either end.
      std::vector<char> text(size, 'x');
      if (place < size) text[place] = '\n';
      if (place + 5 < size) text[place + 5] = '\n';
      const std::string_view view(text.data(), text.size());
      for (size_t from = 0; from <= size; ++from) {
        ASSERT_EQ(FindByte(view, '\n', from), view.find('\n', from))
            << size << " " << place << " " << from;
      }
    }
  }
  EXPECT_EQ(FindByte(std::string(40, '\xff'), '\xff', 39), 39u);
}

}  // namespace
}  // namespace kindling::base
