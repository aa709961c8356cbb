#pragma once

#include <memory>
#include <string>

#include "storage/engine/bucket_id.h"

namespace rocksdb {
class ColumnFamilyHandle;
class DB;
}  // namespace rocksdb

namespace kindling::storage {

// A column family for as long as somebody uses it: after it has been dropped its files go with the
// last owner.
//
// Lifetime: the database must outlive it.
class Family {
 public:
  Family(rocksdb::DB& db, rocksdb::ColumnFamilyHandle* handle) : db_(db), handle_(handle) {}
  ~Family();
  Family(const Family&) = delete;
  Family& operator=(const Family&) = delete;

  rocksdb::ColumnFamilyHandle* handle() const { return handle_; }

 private:
  rocksdb::DB& db_;
  rocksdb::ColumnFamilyHandle* const handle_;
};

}  // namespace kindling::storage
