#include "base/yaml_config.h"

#include <gmock/gmock.h>
#include <google/protobuf/descriptor.h>
#include <google/protobuf/descriptor.pb.h>
#include <google/protobuf/dynamic_message.h>
#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <fstream>
#include <memory>

#include "base/testing/status_matchers.h"
#include "base/testing/temp_dir.h"

namespace kindling::base {
namespace {

using ::google::protobuf::Message;
using ::google::protobuf::TextFormat;
using ::testing::HasSubstr;

constexpr char kFile[] = R"pb(
  name: "test.proto"
  syntax: "proto3"
  enum_type {
    name: "Mode"
    value { name: "MODE_UNSPECIFIED" number: 0 }
    value { name: "MODE_FAST" number: 1 }
  }
  message_type {
    name: "Store"
    field { name: "max_bytes" number: 1 type: TYPE_UINT64 label: LABEL_OPTIONAL }
    field { name: "paths" number: 2 type: TYPE_STRING label: LABEL_REPEATED }
  }
  message_type {
    name: "Config"
    field { name: "listen" number: 1 type: TYPE_STRING label: LABEL_OPTIONAL }
    field { name: "store" number: 2 type: TYPE_MESSAGE type_name: ".Store" label: LABEL_OPTIONAL }
    field { name: "insecure" number: 3 type: TYPE_BOOL label: LABEL_OPTIONAL }
    field { name: "window_s" number: 4 type: TYPE_UINT32 label: LABEL_OPTIONAL }
    field { name: "pids" number: 5 type: TYPE_UINT32 label: LABEL_REPEATED }
    field {
      name: "slow_ms"
      number: 6
      type: TYPE_MESSAGE
      type_name: ".Config.SlowMsEntry"
      label: LABEL_REPEATED
    }
    field { name: "mode" number: 7 type: TYPE_ENUM type_name: ".Mode" label: LABEL_OPTIONAL }
    field { name: "ratio" number: 8 type: TYPE_DOUBLE label: LABEL_OPTIONAL }
    field { name: "offset" number: 9 type: TYPE_INT32 label: LABEL_OPTIONAL }
    field { name: "stores" number: 10 type: TYPE_MESSAGE type_name: ".Store" label: LABEL_REPEATED }
    field { name: "share" number: 11 type: TYPE_FLOAT label: LABEL_OPTIONAL }
    field { name: "since_ns" number: 12 type: TYPE_INT64 label: LABEL_OPTIONAL }
    field { name: "file" number: 13 type: TYPE_STRING label: LABEL_OPTIONAL oneof_index: 0 }
    field { name: "url" number: 14 type: TYPE_STRING label: LABEL_OPTIONAL oneof_index: 0 }
    oneof_decl { name: "source" }
    nested_type {
      name: "SlowMsEntry"
      options { map_entry: true }
      field { name: "key" number: 1 type: TYPE_STRING label: LABEL_OPTIONAL }
      field { name: "value" number: 2 type: TYPE_UINT32 label: LABEL_OPTIONAL }
    }
  }
)pb";

class YamlConfigTest : public ::testing::Test {
 protected:
  YamlConfigTest() {
    google::protobuf::FileDescriptorProto file;
    EXPECT_TRUE(TextFormat::ParseFromString(kFile, &file));
    const auto* built = pool_.BuildFile(file);
    config_.reset(factory_.GetPrototype(built->FindMessageTypeByName("Config"))->New());
  }

  absl::Status Parse(const std::string& yaml,
                     const std::function<void(ConfigFaults&)>& check = nullptr) {
    return ParseYamlConfig(yaml, "c.yaml", config_.get(), check);
  }
  std::string Faults(const std::string& yaml) { return std::string(Parse(yaml).message()); }

  void ExpectConfig(const std::string& text) {
    std::unique_ptr<Message> expected(config_->New());
    ASSERT_TRUE(TextFormat::ParseFromString(text, expected.get()));
    EXPECT_EQ(config_->DebugString(), expected->DebugString());
  }

  google::protobuf::DescriptorPool pool_;
  google::protobuf::DynamicMessageFactory factory_;
  std::unique_ptr<Message> config_;
};

TEST_F(YamlConfigTest, ReadsEveryType) {
  ASSERT_OK(Parse(R"(
listen: 127.0.0.1:7420
store: {max_bytes: 18446744073709551615, paths: [/a, "b c"]}
insecure: true
window_s: 10
pids:
  - 1
  - 4294967295
slow_ms: {http: 500}
mode: MODE_FAST
ratio: 2.5e-3
offset: -7
stores:
  - max_bytes: 1
  - paths: [x]
share: 0.5
since_ns: -9223372036854775808
url: http://x
)"));
  ExpectConfig(R"pb(
    listen: "127.0.0.1:7420"
    store { max_bytes: 18446744073709551615 paths: "/a" paths: "b c" }
    insecure: true
    window_s: 10
    pids: [ 1, 4294967295 ]
    slow_ms { key: "http" value: 500 }
    mode: MODE_FAST
    ratio: 0.0025
    offset: -7
    stores { max_bytes: 1 }
    stores { paths: "x" }
    share: 0.5
    since_ns: -9223372036854775808
    url: "http://x"
  )pb");
}

TEST_F(YamlConfigTest, NothingMeansTheDefault) {
  ASSERT_OK(Parse(""));
  ExpectConfig("");
  ASSERT_OK(Parse("# only a comment\n"));
  ASSERT_OK(Parse("store:\n  # max_bytes: 5\nlisten:\npids: ~\nmode: null\n"));
  ExpectConfig("");
}

TEST_F(YamlConfigTest, TextFieldsTakeAnyScalar) {
  ASSERT_OK(Parse("listen: 7420"));
  ExpectConfig("listen: '7420'");
  ASSERT_OK(Parse("listen: \"null\""));
  ExpectConfig("listen: 'null'");
}

TEST_F(YamlConfigTest, NamesEveryFaultWithItsLine) {
  EXPECT_EQ(Faults(R"(listen: [1]
lisen: x
store:
  max_byte: 5
  max_bytes: -1
  paths: /a
insecure: yes
window_s: 4294967296
pids: [1, two, 3]
slow_ms: {http: fast}
mode: MODE_FAS
ratio: wide
offset: 3.5
window_s: 3
)"),
            R"(c.yaml:1: listen: expected one value, found a list
c.yaml:2: lisen: unknown key; did you mean "listen"?
c.yaml:4: store.max_byte: unknown key; did you mean "max_bytes"?
c.yaml:5: store.max_bytes: -1 is outside 0..18446744073709551615
c.yaml:6: store.paths: expected a list, found "/a"; write [a, b]
c.yaml:7: insecure: expected true or false, found "yes"
c.yaml:8: window_s: 4294967296 is outside 0..4294967295
c.yaml:9: pids[1]: expected a whole number, found "two"
c.yaml:10: slow_ms.http: expected a whole number, found "fast"
c.yaml:11: mode: expected one of MODE_UNSPECIFIED, MODE_FAST, found "MODE_FAS"
c.yaml:12: ratio: expected a number, found "wide"
c.yaml:13: offset: expected a whole number, found "3.5"
c.yaml:14: window_s: set twice, first on line 8)");
}

TEST_F(YamlConfigTest, NumbersOutOfRange) {
  EXPECT_THAT(Faults("offset: 2147483648"), HasSubstr("outside -2147483648..2147483647"));
  EXPECT_THAT(Faults("store: {max_bytes: 99999999999999999999999}"), HasSubstr("is outside 0.."));
  EXPECT_THAT(Faults("ratio: 1e999"), HasSubstr("too large"));
  EXPECT_THAT(Faults("ratio: nan"), HasSubstr("expected a number"));
  EXPECT_THAT(Faults("share: 1e60"), HasSubstr("too large"));
  EXPECT_THAT(Faults("offset: ''"), HasSubstr("expected a whole number"));
}

TEST_F(YamlConfigTest, WrongShapes) {
  EXPECT_THAT(Faults("just text"), HasSubstr("c.yaml:1: expected \"key: value\" settings"));
  EXPECT_THAT(Faults("- a\n- b"), HasSubstr("expected \"key: value\" settings, found a list"));
  EXPECT_THAT(Faults("store: 5"),
              HasSubstr("store: expected \"key: value\" settings, found \"5\""));
  EXPECT_THAT(Faults("slow_ms: [1]"), HasSubstr("expected \"key: value\" pairs, found a list"));
  EXPECT_THAT(Faults("slow_ms: {a: 1, a: 2}"), HasSubstr("slow_ms.a: set twice"));
  EXPECT_THAT(Faults("pids: [~]"), HasSubstr("pids[0]: expected one value, found nothing"));
  EXPECT_THAT(Faults("file: a\nurl: b"), HasSubstr("c.yaml:2: url: cannot be set together with"));
  EXPECT_THAT(Faults("[a]: 5"), HasSubstr("a key must be text"));
  EXPECT_THAT(Faults("a: 1\n---\nb: 2"), HasSubstr("c.yaml:3: a second document"));
  EXPECT_THAT(Faults("listen: !!binary x"), HasSubstr("tags (!name) are not supported"));
}

TEST_F(YamlConfigTest, SyntaxErrorsNameTheLine) {
  EXPECT_THAT(Faults("listen: x\n  window_s: 1\n"), HasSubstr("c.yaml:2: not valid YAML"));
  EXPECT_EQ(Faults("\nlisten: \"x\nwindow_s: 1\n"),
            "c.yaml:2: not valid YAML: the quote that opens here is never closed");
  EXPECT_OK(Parse("listen: |\n  two\n  lines"));
  EXPECT_EQ(Faults("listen: 'x"),
            "c.yaml:1: not valid YAML: the quote that opens here is never closed");
  EXPECT_THAT(Faults(std::string("listen: x\0", 10)), HasSubstr("not a text file"));
  EXPECT_THAT(Faults("listen: \"a\\0b\""), HasSubstr("NUL"));
}

TEST_F(YamlConfigTest, ChecksJoinTheOtherFaults) {
  const auto check = [](ConfigFaults& faults) {
    faults.Add("window_s", "must be 1..60");
    faults.Add("listen", "hidden by the wrong type");
    faults.Add("store.paths", "needs at least one");
    faults.Add("pids[1]", "no such process");
    faults.Add("mode", "is required");
  };
  EXPECT_EQ(Parse("listen: [1]\nstore:\n  max_bytes: 1\nwindow_s: 99\npids:\n- 1\n- 2\n", check)
                .message(),
            "c.yaml: mode: is required\n"
            "c.yaml:1: listen: expected one value, found a list\n"
            "c.yaml:2: store.paths: needs at least one\n"
            "c.yaml:4: window_s: must be 1..60\n"
            "c.yaml:7: pids[1]: no such process");
}

TEST_F(YamlConfigTest, BombsAreRefused) {
  std::string bomb = "a0: &a0 [x,x,x,x,x,x,x,x,x]\n";
  for (int i = 1; i < 30; ++i) {
    bomb += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [";
    for (int j = 0; j < 9; ++j) bomb += "*a" + std::to_string(i - 1) + ",";
    bomb += "]\n";
  }
  const std::string faults = Faults(bomb);
  EXPECT_THAT(faults, HasSubstr("aliases (*name) are not supported"));
  EXPECT_LT(faults.size(), 10000u);
  EXPECT_THAT(faults, HasSubstr("more faults"));

  EXPECT_THAT(Faults(std::string(40, '[') + std::string(40, ']')),
              HasSubstr("nested deeper than 32 levels"));
  EXPECT_FALSE(Parse(std::string(kMaxConfigBytes, '[')).ok());
  EXPECT_FALSE(Parse(std::string(kMaxConfigBytes, '{')).ok());
  EXPECT_FALSE(Parse(std::string(kMaxConfigBytes, '-')).ok());
  EXPECT_THAT(Faults(std::string(kMaxConfigBytes + 1, ' ')), HasSubstr("longer than"));
}

TEST_F(YamlConfigTest, LongValuesAreCutInMessages) {
  EXPECT_LT(Faults("window_s: " + std::string(5000, 'x')).size(), 200u);
  EXPECT_LT(Faults("window_s: " + std::string(5000, '9')).size(), 200u);
}

TEST_F(YamlConfigTest, FilesThatCannotBeRead) {
  const TempDir dir;
  const absl::Status missing = LoadYamlConfig(dir.File("none.yaml"), config_.get());
  EXPECT_EQ(missing.message(), "read " + dir.File("none.yaml") +
                                   ": No such file or directory: write this file, or name another "
                                   "with --config");
  EXPECT_THAT(std::string(LoadYamlConfig(dir.path(), config_.get()).message()),
              HasSubstr("Is a directory"));
  EXPECT_THAT(std::string(LoadYamlConfig("/dev/zero", config_.get()).message()),
              HasSubstr("longer than"));

  std::ofstream(dir.File("good.yaml")) << "window_s: 5\n";
  ASSERT_OK(LoadYamlConfig(dir.File("good.yaml"), config_.get()));
  ExpectConfig("window_s: 5");
  std::ofstream(dir.File("bad.yaml")) << "window_s: x\n";
  EXPECT_EQ(LoadYamlConfig(dir.File("bad.yaml"), config_.get()).message(),
            dir.File("bad.yaml") + ":1: window_s: expected a whole number, found \"x\"");
}

}  // namespace
}  // namespace kindling::base
