#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>

namespace kindling::agent::mysql {

// What a statement is called and how it is shown; made once from its text.
struct Statement {
  std::string endpoint;   // "SELECT shop.products"
  std::string statement;  // redacted; may be empty where many are held
};

// The statements that one connection has prepared, by the id that the server gave them.
//
// Limits: kMaxStatements; then the oldest, which has the lowest id, is forgotten.
class PreparedStatements {
 public:
  static constexpr size_t kMaxStatements = 128;
  // In MariaDB's protocol: the statement that was prepared last.
  static constexpr uint32_t kLastPrepared = 0xffffffff;

  void Add(uint32_t id, std::shared_ptr<const Statement> statement) {
    last_ = statement;
    by_id_[id] = std::move(statement);
    if (by_id_.size() > kMaxStatements) by_id_.erase(by_id_.begin());
  }
  // A PREPARE was sent: kLastPrepared means it, even before it is answered.
  void SetLast(std::shared_ptr<const Statement> statement) { last_ = std::move(statement); }
  void Remove(uint32_t id) { by_id_.erase(id); }
  void Clear() {
    by_id_.clear();
    last_ = nullptr;
  }

  // Null if it is not known.
  std::shared_ptr<const Statement> Find(uint32_t id) const {
    if (id == kLastPrepared) return last_;
    const auto found = by_id_.find(id);
    return found == by_id_.end() ? nullptr : found->second;
  }

 private:
  // Shared with the requests that execute them, which may outlive the entry.
  std::map<uint32_t, std::shared_ptr<const Statement>> by_id_;
  std::shared_ptr<const Statement> last_;
};

}  // namespace kindling::agent::mysql
