#include "controller/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <string>

#include "base/testing/status_matchers.h"
#include "base/testing/temp_dir.h"

namespace kindling::controller {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

class ConfigTest : public ::testing::Test {
 protected:
  absl::StatusOr<ControllerOptions> Load(const std::string& yaml, const std::string& listen = "") {
    std::ofstream(dir_.File("c.yaml")) << yaml;
    return LoadOptions(dir_.File("c.yaml"), listen);
  }
  std::string Fault(const std::string& yaml, const std::string& listen = "") {
    const auto options = Load(yaml, listen);
    EXPECT_FALSE(options.ok());
    return std::string(options.status().message());
  }
  base::TempDir dir_;
};

TEST_F(ConfigTest, WithoutAFileEverythingHasItsDefault) {
  const auto options = LoadOptions("", "");
  ASSERT_OK(options);
  EXPECT_EQ(options->listen, "127.0.0.1:7420");
  EXPECT_EQ(options->data_directory, "/var/lib/kindling/controller");
  EXPECT_EQ(options->cluster, "default");
  EXPECT_EQ(options->storage.max_bytes, uint64_t{10} << 30);
}

TEST_F(ConfigTest, TheFileIsRead) {
  const auto options = Load(
      "listen: 127.0.0.1:1\ndata_directory: /x\n"
      "storage: {max_bytes: 33554432, max_age_s: 3600}\ncluster: demo\n");
  ASSERT_OK(options);
  EXPECT_EQ(options->listen, "127.0.0.1:1");
  EXPECT_EQ(options->data_directory, "/x");
  EXPECT_EQ(options->storage.max_bytes, 33554432);
  EXPECT_EQ(options->storage.span_max_age_ns, StorageOptions::kHourNs);
  EXPECT_EQ(options->storage.series_1h_max_age_ns, StorageOptions::kHourNs);
  EXPECT_EQ(options->cluster, "demo");
}

TEST_F(ConfigTest, EachClassHasItsAge) {
  const auto options = Load(
      "storage: {span_max_age_s: 86400, series_10s_max_age_s: 172800, series_1m_max_age_s: 259200,"
      " series_1h_max_age_s: 345600, events_max_age_s: 432000, bucket_s: 1800,\n"
      " memory_limit_bytes: 134217728, backup_directory: /backups}\n");
  ASSERT_OK(options);
  const StorageOptions& storage = options->storage;
  EXPECT_EQ(storage.span_max_age_ns, StorageOptions::kDayNs);
  EXPECT_EQ(storage.series_10s_max_age_ns, 2 * StorageOptions::kDayNs);
  EXPECT_EQ(storage.series_1m_max_age_ns, 3 * StorageOptions::kDayNs);
  EXPECT_EQ(storage.series_1h_max_age_ns, 4 * StorageOptions::kDayNs);
  EXPECT_EQ(storage.events_max_age_ns, 5 * StorageOptions::kDayNs);
  EXPECT_EQ(storage.bucket_ns, StorageOptions::kHourNs / 2);
  EXPECT_EQ(storage.memory_limit_bytes, uint64_t{128} << 20);
  EXPECT_EQ(storage.backup_directory, "/backups");
}

TEST_F(ConfigTest, SumsAreKeptAsLongAsWhatTheySum) {
  const auto options = Load("storage: {series_10s_max_age_s: 34560000}\n");  // 400 days
  ASSERT_OK(options);
  EXPECT_EQ(options->storage.series_1m_max_age_ns, 400 * StorageOptions::kDayNs);
  EXPECT_EQ(options->storage.series_1h_max_age_ns, 400 * StorageOptions::kDayNs);
  EXPECT_EQ(options->storage.span_max_age_ns, 7 * StorageOptions::kDayNs);
  EXPECT_THAT(Fault("storage: {series_1m_max_age_s: 3600}\n"), HasSubstr("series_10s_max_age_s"));
  EXPECT_THAT(Fault("storage: {series_1h_max_age_s: 3600}\n"), HasSubstr("series_1m_max_age_s"));
}

TEST_F(ConfigTest, StorageIsCheckedFieldByField) {
  EXPECT_THAT(Fault("storage: {bucket_s: 30}\n"), HasSubstr("storage.bucket_s"));
  EXPECT_THAT(Fault("storage: {bucket_s: 7000}\n"), HasSubstr("storage.bucket_s"));
  EXPECT_THAT(Fault("storage: {memory_limit_bytes: 1}\n"), HasSubstr("64 MiB"));
  EXPECT_THAT(Fault("storage: {backup_directory: backups}\n"), HasSubstr("whole path"));
  EXPECT_THAT(Fault("storage: {span_max_age_s: 5}\n"), HasSubstr("storage.span_max_age_s"));
}

TEST_F(ConfigTest, TheFlagStandsForTheFilesListen) {
  EXPECT_EQ(Load("listen: 127.0.0.1:1\n", "[::1]:2")->listen, "[::1]:2");
  EXPECT_THAT(Fault("listen: 127.0.0.1:1\n", "0.0.0.0:2"), HasSubstr("other machines"));
}

TEST_F(ConfigTest, OtherMachinesNeedTlsOrConsent) {
  EXPECT_THAT(Fault("listen: 0.0.0.0:7420\n"), AllOf(HasSubstr("tls"), HasSubstr("insecure")));
  EXPECT_OK(Load("listen: 0.0.0.0:7420\ninsecure: true\n"));
  EXPECT_OK(Load("listen: 0.0.0.0:7420\ntls: {certificate_file: /c, key_file: /k}\n"));
}

TEST_F(ConfigTest, AllFaultsAreToldAtOnceWithTheirLines) {
  const std::string fault = Fault(
      "listen: nowhere\ncluster: \"Not a name\"\nstorage:\n  max_bytes: 1\n  max_age_s: 5\n"
      "unknown_field: 1\n");
  EXPECT_THAT(fault, AllOf(HasSubstr(":1: "), HasSubstr(":2: "), HasSubstr(":4: "),
                           HasSubstr(":5: "), HasSubstr(":6: ")));
  EXPECT_THAT(fault, HasSubstr("unknown_field"));
}

TEST_F(ConfigTest, AMissingFileIsNamed) {
  const auto options = LoadOptions(dir_.File("missing.yaml"), "");
  EXPECT_THAT(std::string(options.status().message()), HasSubstr("missing.yaml"));
}

}  // namespace
}  // namespace kindling::controller
