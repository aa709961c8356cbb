#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "base/hash.h"
#include "model/records.h"
#include "storage/keys.h"

namespace rocksdb {
class DB;
class WriteBatch;
}  // namespace rocksdb

namespace kindling::storage {

// An address binding is a row of its own, not part of a block: it stays in force long after the
// batch that brought it, so it must outlive that batch's bucket.
AddressKey KeyOf(const model::AddressBinding& row, std::string_view tenant,
                 std::string_view cluster);
std::string AddressValue(const model::AddressBinding& row);
std::optional<model::AddressBinding> ParseAddressRow(std::string_view key, std::string_view value);

// Forgets rows that a later one replaced before `horizon_ns`, and the oldest ones beyond
// `max_rows`.
absl::Status DropOldAddresses(rocksdb::DB& db, int64_t horizon_ns, size_t max_rows,
                              rocksdb::WriteBatch& drop);

// Knows the latest row of each address, so that a binding that an agent repeats is not written
// again.
//
// Threads: one at a time.
// Limits: kMaxAddresses addresses; further ones are written every time.
class LatestAddresses {
 public:
  static constexpr size_t kMaxAddresses = 100'000;

  // True when the stored rows already say what this one says.
  bool Known(const std::string& key, std::string_view value, int64_t first_ns) const;
  // Call for every row that is in the store.
  void Remember(const std::string& key, std::string_view value, int64_t first_ns);
  void Clear() { latest_.clear(); }
  size_t size() const { return latest_.size(); }

 private:
  struct Latest {
    int64_t first_ns = 0;
    std::string value;
  };
  base::StringMap<Latest> latest_;
};

}  // namespace kindling::storage
