#include "storage/engine/families.h"

#include <rocksdb/db.h>

namespace kindling::storage {

Family::~Family() { db_.DestroyColumnFamilyHandle(handle_); }

}  // namespace kindling::storage
