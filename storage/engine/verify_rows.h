#pragma once

#include <functional>
#include <string>

#include "storage/engine/view.h"

namespace rocksdb {
class DB;
}

// Checks of what is stored as rows beside the blocks. Each `fault` is one sentence.
namespace kindling::storage {

using TellFault = std::function<void(std::string fault)>;

// Chunks, contents and index rows of a bucket of spans.
void VerifyRows(rocksdb::DB& db, const View& view, const Bucket& bucket, const TellFault& fault);
void VerifyAddresses(rocksdb::DB& db, const View& view, const TellFault& fault);

}  // namespace kindling::storage
