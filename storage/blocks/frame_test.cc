#include "storage/blocks/frame.h"

#include <gtest/gtest.h>

#include <random>

#include "absl/strings/str_format.h"
#include "base/testing/status_matchers.h"

namespace kindling::storage {
namespace {

// A few of many statements.
std::string Sample(int seed) {
  std::string text;
  for (int i = 0; i < 3; ++i) {
    const int n = (seed * 7 + i * 13) % 40;
    text += absl::StrFormat("SELECT id, column_%d FROM table_%d WHERE owner_%d = ? ORDER BY %d;",
                            n * 37, n * 91, n * 17, n);
  }
  return text;
}

ZstdDictionaries Trained() {
  std::vector<std::string> samples;
  for (int i = 0; i < 400; ++i) samples.push_back(Sample(i));
  ZstdDictionaries dictionaries;
  const std::string bytes = TrainZstdDictionary(samples, 16 << 10);
  EXPECT_TRUE(dictionaries.Add(3, bytes).ok());
  dictionaries.Use(3);
  return dictionaries;
}

std::string RandomBytes(size_t size) {
  std::mt19937_64 random(1);
  std::string bytes;
  while (bytes.size() < size) bytes.push_back(static_cast<char>(random()));
  return bytes;
}

std::string Frame(const ZstdDictionaries& dictionaries) {
  FrameWriter writer(FrameClass::kEdges, 1, dictionaries);
  writer.Add(9, Sample(5), Packing::kText);
  writer.Add(0, std::string(1000, 'a'), Packing::kDense);
  writer.Add(2, "", Packing::kDense);
  writer.Add(7000, RandomBytes(500), Packing::kFast);
  return writer.Finish();
}

absl::Status ReadAll(std::string_view bytes, const ZstdDictionaries& dictionaries) {
  const auto frame = FrameReader::Open(bytes, FrameClass::kEdges, 1, dictionaries);
  if (!frame.ok()) return frame.status();
  for (const uint32_t number : {0, 2, 9, 7000}) {
    std::string room;
    const auto section = frame->Read(number, room);
    if (!section.ok()) return section.status();
  }
  return absl::OkStatus();
}

TEST(FrameTest, GivesBackEverySection) {
  const ZstdDictionaries dictionaries = Trained();
  const std::string bytes = Frame(dictionaries);
  const auto frame = FrameReader::Open(bytes, FrameClass::kEdges, 1, dictionaries);
  ASSERT_TRUE(frame.ok()) << frame.status();
  std::string room;
  EXPECT_EQ(frame->Read(0, room).value(), std::string(1000, 'a'));
  EXPECT_EQ(frame->Read(2, room).value(), "");
  EXPECT_EQ(frame->Read(9, room).value(), Sample(5));
  EXPECT_EQ(frame->Read(7000, room).value(), RandomBytes(500));
  EXPECT_EQ(frame->raw_size(0), 1000);
  EXPECT_FALSE(frame->Has(1));
  EXPECT_EQ(frame->raw_size(1), 0);
  EXPECT_EQ(frame->Read(1, room).status().code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(frame->Read(0, room, 999).status().code(), absl::StatusCode::kDataLoss);
}

TEST(FrameTest, DictionaryMakesTextSmaller) {
  const ZstdDictionaries with = Trained();
  EXPECT_LT(Frame(with).size() + 40, Frame(ZstdDictionaries()).size());
}

TEST(FrameTest, MissingDictionaryIsDataLoss) {
  const ZstdDictionaries with = Trained();
  const absl::Status status = ReadAll(Frame(with), ZstdDictionaries());
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(status.message(), "zstd dictionary 3 is missing");
}

TEST(FrameTest, AnotherClassOrVersionIsRefused) {
  const ZstdDictionaries none;
  FrameWriter writer(FrameClass::kEdges, 2, none);
  const std::string bytes = writer.Finish();
  EXPECT_TRUE(FrameReader::Open(bytes, FrameClass::kEdges, 2, none).ok());
  EXPECT_FALSE(FrameReader::Open(bytes, FrameClass::kSpans, 2, none).ok());
  EXPECT_FALSE(FrameReader::Open(bytes, FrameClass::kEdges, 1, none).ok());
}

TEST(FrameTest, EveryTruncationIsFound) {
  const ZstdDictionaries dictionaries = Trained();
  const std::string bytes = Frame(dictionaries);
  ASSERT_TRUE(ReadAll(bytes, dictionaries).ok());
  for (size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_EQ(ReadAll(bytes.substr(0, size), dictionaries).code(), absl::StatusCode::kDataLoss)
        << size;
  }
  EXPECT_EQ(ReadAll(bytes + 'x', dictionaries).code(), absl::StatusCode::kDataLoss);
}

TEST(FrameTest, EveryFlippedBitIsFound) {
  const ZstdDictionaries dictionaries = Trained();
  std::string bytes = Frame(dictionaries);
  for (size_t bit = 0; bit < bytes.size() * 8; ++bit) {
    if (bit / 8 == 2) continue;  // the version is looked at by what reads the sections
    bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ 1 << bit % 8);
    EXPECT_FALSE(ReadAll(bytes, dictionaries).ok()) << bit;
    bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ 1 << bit % 8);
  }
}

TEST(ZstdDictionariesTest, TakesNoNumberTwiceAndNoOtherBytes) {
  ZstdDictionaries dictionaries = Trained();
  std::vector<std::string> samples;
  for (int i = 0; i < 400; ++i) samples.push_back(Sample(i));
  const std::string bytes = TrainZstdDictionary(samples, 16 << 10);
  EXPECT_FALSE(dictionaries.Add(0, bytes).ok());
  EXPECT_FALSE(dictionaries.Add(3, bytes).ok());
  EXPECT_FALSE(dictionaries.Add(4, "no dictionary").ok());
  EXPECT_FALSE(dictionaries.Add(4, bytes.substr(0, 20)).ok());
  const ZstdDictionaries copy = dictionaries;
  EXPECT_TRUE(dictionaries.Add(4, bytes).ok());
  dictionaries.Use(4);
  EXPECT_EQ(dictionaries.current()->number, 4);
  EXPECT_EQ(copy.current()->number, 3);
  EXPECT_EQ(copy.Find(4), nullptr);
}

TEST(ZstdDictionariesTest, TooFewSamplesTrainNothing) {
  EXPECT_EQ(TrainZstdDictionary({"a", "b"}, 1024), "");
}

}  // namespace
}  // namespace kindling::storage
