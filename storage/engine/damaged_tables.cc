#include "storage/engine/damaged_tables.h"

#include <glog/logging.h>
#include <rocksdb/db.h>
#include <rocksdb/env.h>
#include <rocksdb/metadata.h>
#include <rocksdb/options.h>
#include <rocksdb/sst_file_reader.h>
#include <rocksdb/table_properties.h>

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <utility>

#include "absl/strings/str_format.h"
#include "base/status_macros.h"
#include "storage/engine/bucket_id.h"
#include "storage/engine/faults.h"
#include "storage/engine/manifest_edit.h"
#include "storage/engine/rocks_status.h"

namespace kindling::storage {
namespace {

struct Table {
  rocksdb::LiveFileMetaData data;
  bool deletes = false;  // some keys; unknown for a damaged one
  std::string fault;     // empty: none
};

struct FamilyTables {
  uint32_t id = 0;
  bool log_deletes = false;
  std::vector<Table> tables;
};

bool IsMissing(const rocksdb::Status& status) {
  return status.IsPathNotFound() || status.IsNotFound();
}

// Opens what is there of the database, without writing to it, to learn what its manifest names.
absl::StatusOr<std::map<std::string, FamilyTables>> ListTables(
    rocksdb::DBOptions options, const std::string& directory,
    const std::vector<rocksdb::ColumnFamilyDescriptor>& families) {
  options.paranoid_checks = false;
  std::vector<rocksdb::ColumnFamilyHandle*> handles;
  rocksdb::DB* raw = nullptr;
  RETURN_IF_ERROR(
      FromRocks(rocksdb::DB::OpenForReadOnly(options, directory, families, &handles, &raw),
                "look for damaged tables"));
  const std::unique_ptr<rocksdb::DB> db(raw);
  std::map<std::string, FamilyTables> out;
  for (rocksdb::ColumnFamilyHandle* handle : handles) {
    FamilyTables& family = out[handle->GetName()];
    family.id = handle->GetID();
    uint64_t deletes = 0;
    db->GetIntProperty(handle, rocksdb::DB::Properties::kNumDeletesActiveMemTable, &deletes);
    family.log_deletes = deletes > 0;
    db->DestroyColumnFamilyHandle(handle);
  }
  std::vector<rocksdb::LiveFileMetaData> files;
  db->GetLiveFilesMetaData(&files);
  for (rocksdb::LiveFileMetaData& file : files) {
    out[file.column_family_name].tables.push_back({.data = std::move(file)});
  }
  return out;
}

// True when neither end of the table can be read.
bool IsUnreadable(rocksdb::SstFileReader& reader) {
  for (const bool first : {true, false}) {
    const std::unique_ptr<rocksdb::Iterator> iterator(reader.NewIterator(rocksdb::ReadOptions()));
    first ? iterator->SeekToFirst() : iterator->SeekToLast();
    if (!iterator->status().IsCorruption()) return false;
  }
  return true;
}

absl::Status Check(const rocksdb::DBOptions& options, const std::string& directory, Table& table) {
  constexpr std::string_view kDoing = "look at a table";
  const std::string path = directory + "/" + table.data.relative_filename;
  uint64_t bytes = 0;
  const rocksdb::Status sized = options.env->GetFileSize(path, &bytes);
  if (IsMissing(sized)) {
    table.fault = "it is missing";
    return absl::OkStatus();
  }
  RETURN_IF_ERROR(FromRocks(sized, kDoing));
  if (bytes != table.data.size) {
    table.fault = absl::StrFormat("it has %d bytes instead of %d", bytes, table.data.size);
    return absl::OkStatus();
  }
  rocksdb::Options of_reader;
  of_reader.env = options.env;
  of_reader.info_log = options.info_log;
  rocksdb::SstFileReader reader(of_reader);
  const rocksdb::Status opened = reader.Open(path);
  if (opened.IsIOError()) return FromRocks(opened, kDoing);
  if (!opened.ok()) {
    table.fault = "it cannot be opened: " + std::string(FromRocks(opened, "open").message());
    return absl::OkStatus();
  }
  if (IsUnreadable(reader)) table.fault = "it cannot be read";
  const auto properties = reader.GetTableProperties();
  table.deletes = properties == nullptr || properties->num_deletions > 0;
  return absl::OkStatus();
}

bool IsBeneath(const rocksdb::LiveFileMetaData& table, const rocksdb::LiveFileMetaData& lost) {
  if (table.smallestkey > lost.largestkey || table.largestkey < lost.smallestkey) return false;
  if (table.level != lost.level) return table.level > lost.level;
  return table.level == 0 && table.smallest_seqno < lost.smallest_seqno;
}

// Condemns sound tables that may hold what a lost one has deleted. As long as nothing else deletes
// in this family that does no harm: what was put in its place is lost too.
void CondemnBeneath(FamilyTables& family) {
  const auto is_lost = [](const Table& table) { return !table.fault.empty(); };
  const bool deletes = family.log_deletes ||
                       std::count_if(family.tables.begin(), family.tables.end(), is_lost) > 1 ||
                       std::any_of(family.tables.begin(), family.tables.end(),
                                   [](const Table& table) { return table.deletes; });
  if (!deletes) return;
  // A condemned table is as good as lost to those beneath it.
  for (bool more = true; std::exchange(more, false);) {
    for (Table& table : family.tables) {
      if (is_lost(table)) continue;
      for (const Table& lost : family.tables) {
        if (!is_lost(lost) || !IsBeneath(table.data, lost.data)) continue;
        table.fault = absl::StrFormat("it may hold what %s, which is lost, had replaced",
                                      lost.data.relative_filename);
        more = true;
        break;
      }
    }
  }
}

}  // namespace

absl::StatusOr<DamagedTables> SetDamagedTablesAside(
    const rocksdb::DBOptions& options, const std::string& directory,
    const std::vector<rocksdb::ColumnFamilyDescriptor>& families) {
  ASSIGN_OR_RETURN(auto all, ListTables(options, directory, families));
  DamagedTables out;
  std::vector<Fault> notes;
  std::vector<TableInManifest> lost;
  std::vector<std::string> files;
  for (auto& [name, family] : all) {
    for (Table& table : family.tables) RETURN_IF_ERROR(Check(options, directory, table));
    const std::optional<BucketId> bucket = BucketId::Parse(name);
    if (bucket) CondemnBeneath(family);
    for (const Table& table : family.tables) {
      if (table.fault.empty()) continue;
      const std::string& file = table.data.relative_filename;
      if (!bucket) {
        out.own = absl::StrFormat("table %s of the family \"%s\": %s", file, name, table.fault);
        continue;
      }
      notes.push_back({.what = absl::StrFormat("table %s of %s from %s to %s: %s", file,
                                               Name(bucket->tier), TimeText(bucket->start_ns),
                                               TimeText(bucket->end_ns()), table.fault),
                       .tier = bucket->tier,
                       .start_ns = bucket->start_ns,
                       .end_ns = bucket->end_ns()});
      lost.push_back({family.id, table.data.level, table.data.file_number});
      files.push_back(file);
    }
  }
  if (!out.own.empty() || lost.empty()) return out;
  RETURN_IF_ERROR(AddNotes(*options.env, directory, notes));
  for (size_t i = 0; i < files.size(); ++i) {
    LOG(ERROR) << "store: sets aside in " << DamagedDirectory(directory) << ": " << notes[i].what;
    const rocksdb::Status moved = options.env->RenameFile(
        directory + "/" + files[i], DamagedDirectory(directory) + "/" + files[i]);
    if (!IsMissing(moved)) RETURN_IF_ERROR(FromRocks(moved, "set a damaged table aside"));
  }
  RETURN_IF_ERROR(TakeOutOfManifest(*options.env, directory, lost));
  out.set_aside = lost.size();
  return out;
}

}  // namespace kindling::storage
