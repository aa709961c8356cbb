// make_span_corpus DIRECTORY: writes blocks of random spans there, as they are and as the sections
// that span_block_fuzz puts into frames.

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>
#include <vector>

#include "storage/blocks/frame.h"
#include "storage/blocks/span_block.h"
#include "storage/testing/random_batch.h"
#include "storage/varint.h"

namespace kindling::storage {
namespace {

const ZstdDictionaries kNone;

void Write(const std::string& path, const std::string& bytes) {
  std::ofstream file(path, std::ios::binary);
  file << bytes;
  if (!file.flush()) std::abort();
}

std::string Sections(const std::string& block, FrameClass frame_class) {
  const auto frame = FrameReader::Open(block, frame_class, 1, kNone);
  std::string out;
  for (const auto& [number, size] : frame->StoredSizes()) {
    std::string room;
    const auto section = frame->Read(number, room);
    PutVarint(out, number);
    PutVarint(out, section->size());
    out += *section;
  }
  return out;
}

void MakeCorpus(const std::string& directory) {
  for (const int count : {1, 5, 40}) {
    RandomRecords records(static_cast<uint64_t>(count));
    std::vector<model::Span> spans;
    for (int i = 0; i < count; ++i) spans.push_back(records.LinkedSpan(spans));
    const SealedBlock block = EncodeSpanBlock(spans, kNone, /*unit_rows=*/16);
    const std::string stem = directory + "/" + std::to_string(count);
    Write(stem + "_body", block.body);
    Write(stem + "_summary", block.summary);
    Write(stem + "_filter", block.filter);
    Write(stem + "_body_sections", Sections(block.body, FrameClass::kSpans));
    Write(stem + "_summary_sections", Sections(block.summary, FrameClass::kSpanSummary));
    Write(stem + "_filter_sections", Sections(block.filter, FrameClass::kSpanFilter));
  }
}

}  // namespace
}  // namespace kindling::storage

int main(int argc, char** argv) {
  if (argc != 2) return EXIT_FAILURE;
  kindling::storage::MakeCorpus(argv[1]);
  return EXIT_SUCCESS;
}
