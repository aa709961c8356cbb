#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace kindling::storage {

// A Bloom filter: which keys a block may hold. Ten bits a key and seven of them set: one question
// in a hundred is answered wrongly with yes, none with no.

// Of the key's kind and its parts; two of one text and another are as different as any.
uint64_t FilterKey(char kind, std::string_view first, std::string_view second = {});

std::string EncodeKeyFilter(std::vector<uint64_t> keys);
bool KeyFilterMayHold(std::string_view filter, uint64_t key);

}  // namespace kindling::storage
