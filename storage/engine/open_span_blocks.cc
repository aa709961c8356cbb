#include "storage/engine/open_span_blocks.h"

#include <algorithm>
#include <utility>

#include "base/status_macros.h"
#include "storage/engine/block_reader.h"

namespace kindling::storage {

absl::StatusOr<std::unique_ptr<OpenSpanBlock>> OpenSpanBlock::Read(rocksdb::DB& db,
                                                                   const View& view,
                                                                   const Bucket& bucket,
                                                                   const Block& block) {
  auto opened = std::make_unique<OpenSpanBlock>();
  RETURN_IF_ERROR(ReadPart(db, view, bucket, block, BlockPart::kBody, &opened->body));
  ASSIGN_OR_RETURN(opened->block, SpanBlock::Open(opened->body.ToStringView(), *view.dictionaries));
  return opened;
}

absl::StatusOr<SpanBlock*> OpenSpanBlocks::Open(rocksdb::DB& db, const View& view,
                                                const Bucket& bucket, const Block& block) {
  const auto known = blocks_.find(block.key.number);
  if (known != blocks_.end()) {
    known->second.used = ++uses_;
    return &*known->second.block->block;
  }
  ASSIGN_OR_RETURN(std::unique_ptr<OpenSpanBlock> opened,
                   OpenSpanBlock::Read(db, view, bucket, block));
  return Put(block, std::move(opened));
}

std::unique_ptr<OpenSpanBlock> OpenSpanBlocks::Take(const Block& block) {
  const auto known = blocks_.find(block.key.number);
  if (known == blocks_.end()) return nullptr;
  std::unique_ptr<OpenSpanBlock> opened = std::move(known->second.block);
  blocks_.erase(known);
  return opened;
}

SpanBlock* OpenSpanBlocks::Put(const Block& block, std::unique_ptr<OpenSpanBlock> opened) {
  if (blocks_.size() >= kMost) {
    blocks_.erase(std::min_element(
        blocks_.begin(), blocks_.end(),
        [](const auto& a, const auto& b) { return a.second.used < b.second.used; }));
  }
  Kept& kept = blocks_[block.key.number];
  kept = {.block = std::move(opened), .used = ++uses_};
  return &*kept.block->block;
}

}  // namespace kindling::storage
