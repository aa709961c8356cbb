#pragma once

#include "storage/engine/view.h"
#include "storage/store_admin.h"

namespace rocksdb {
class DB;
}

namespace kindling::storage {

// Reads everything and checks it: blocks against their summaries and filters, chunks and contents,
// index rows against what they find, address rows; and the sums of the roll-ups against those of
// the rows they were made of, over the time for which all of these are kept.
VerifyReport VerifyView(rocksdb::DB& db, const View& view, const VerifyProgress& progress);

}  // namespace kindling::storage
