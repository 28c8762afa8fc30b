#include "lib/sample/service_tags.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"

namespace pycheck {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

TEST(ServiceTags, AreNoneWithoutVariables) {
  EXPECT_THAT(ServiceTags({}), IsEmpty());
}

TEST(ServiceTags, HaveTheUnifiedTagsFirst) {
  EXPECT_THAT(
      ServiceTags({{"DD_VERSION", "1.0"},
                   {"DD_ENV", "Prod"},
                   {"DD_SERVICE", "My Service"},
                   {"DD_TAGS", "team:web"}}),
      ElementsAre("service:My Service", "env:Prod", "version:1.0", "team:web"));
}

TEST(ServiceTags, TakeUnifiedTagsFromTheOthersToo) {
  EXPECT_THAT(ServiceTags({{"DD_TAGS", "team:t,version:z,env:y,service:x"}}),
              ElementsAre("service:x", "env:y", "version:z", "team:t"));
  EXPECT_THAT(ServiceTags({{"DD_ENV", "q"}, {"DD_TAGS", "env:y"}}),
              ElementsAre("env:q"));
}

TEST(ServiceTags, AreSeparatedByCommasOrSpaces) {
  EXPECT_THAT(ServiceTags({{"DD_TAGS", "a:b,c:d"}}), ElementsAre("a:b", "c:d"));
  EXPECT_THAT(ServiceTags({{"DD_TAGS", " a:b  c:d "}}),
              ElementsAre("a:b", "c:d"));
  EXPECT_THAT(ServiceTags({{"DD_TAGS", "a: b c ,, d:e:f,lone,:no key"}}),
              ElementsAre("a:b c", "d:e:f", "lone:"));
}

TEST(ServiceTags, HaveEachKeyOnce) {
  EXPECT_THAT(ServiceTags({{"DD_TAGS", "a:1,b:2,a:3"}}),
              ElementsAre("a:3", "b:2"));
}

TEST(ServiceTags, TakeOpenTelemetrysNamesWhereDatadogsAreNotSet) {
  EXPECT_THAT(ServiceTags({{"OTEL_SERVICE_NAME", "o"}}),
              ElementsAre("service:o"));
  EXPECT_THAT(ServiceTags({{"OTEL_SERVICE_NAME", "o"}, {"DD_SERVICE", "d"}}),
              ElementsAre("service:d"));
  // Set to nothing is set.
  EXPECT_THAT(ServiceTags({{"OTEL_SERVICE_NAME", "o"}, {"DD_SERVICE", ""}}),
              IsEmpty());
  EXPECT_THAT(
      ServiceTags({{"OTEL_RESOURCE_ATTRIBUTES", "a=b"}, {"DD_TAGS", "c:d"}}),
      ElementsAre("c:d"));
  EXPECT_THAT(
      ServiceTags({{"OTEL_RESOURCE_ATTRIBUTES", "a=b"}, {"DD_TAGS", ""}}),
      IsEmpty());
}

TEST(ServiceTags, MapOpenTelemetrysAttributes) {
  EXPECT_THAT(ServiceTags({{"OTEL_RESOURCE_ATTRIBUTES",
                            "k=w,Service.Name=n,deployment.environment=e,"
                            "service.version=v"}}),
              ElementsAre("service:n", "env:e", "version:v", "k:w"));
  EXPECT_THAT(ServiceTags({{"OTEL_RESOURCE_ATTRIBUTES",
                            "deployment.environment=e,"
                            "deployment.environment.name=f"}}),
              ElementsAre("env:f"));
  EXPECT_THAT(ServiceTags({{"OTEL_RESOURCE_ATTRIBUTES", "a=b=c,d=e"}}),
              IsEmpty());
  EXPECT_THAT(ServiceTags({{"OTEL_RESOURCE_ATTRIBUTES", ""}}), IsEmpty());
  std::string many = "k=v";
  for (int i = 0; i < 20; ++i) absl::StrAppend(&many, ",k", i, "=v");
  EXPECT_THAT(ServiceTags({{"OTEL_RESOURCE_ATTRIBUTES", many}}), SizeIs(10));
}

TEST(ServiceTags, LeaveGitMetadataOut) {
  EXPECT_THAT(
      ServiceTags({{"DD_TAGS", "git.commit.sha:1,git.repository_url:u,a:b"}}),
      ElementsAre("a:b"));
}

}  // namespace
}  // namespace pycheck
