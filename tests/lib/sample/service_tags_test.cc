#include "lib/sample/service_tags.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"

namespace pycheck {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

std::vector<std::string> TagsOf(const Variables& variables) {
  return ServiceTags(variables, std::nullopt);
}

TEST(ServiceTags, AreNoneWithoutVariables) {
  EXPECT_THAT(TagsOf({}), IsEmpty());
}

TEST(ServiceTags, HaveTheUnifiedTagsFirst) {
  EXPECT_THAT(
      TagsOf({{"DD_VERSION", "1.0"},
              {"DD_ENV", "Prod"},
              {"DD_SERVICE", "My Service"},
              {"DD_TAGS", "team:web"}}),
      ElementsAre("service:My Service", "env:Prod", "version:1.0", "team:web"));
}

TEST(ServiceTags, TakeUnifiedTagsFromTheOthersToo) {
  EXPECT_THAT(TagsOf({{"DD_TAGS", "team:t,version:z,env:y,service:x"}}),
              ElementsAre("service:x", "env:y", "version:z", "team:t"));
  EXPECT_THAT(TagsOf({{"DD_ENV", "q"}, {"DD_TAGS", "env:y"}}),
              ElementsAre("env:q"));
}

TEST(ServiceTags, AreSeparatedByCommasOrSpaces) {
  EXPECT_THAT(TagsOf({{"DD_TAGS", "a:b,c:d"}}), ElementsAre("a:b", "c:d"));
  EXPECT_THAT(TagsOf({{"DD_TAGS", " a:b  c:d "}}), ElementsAre("a:b", "c:d"));
  EXPECT_THAT(TagsOf({{"DD_TAGS", "a: b c ,, d:e:f,lone,:no key"}}),
              ElementsAre("a:b c", "d:e:f", "lone:"));
}

TEST(ServiceTags, HaveEachKeyOnce) {
  EXPECT_THAT(TagsOf({{"DD_TAGS", "a:1,b:2,a:3"}}), ElementsAre("a:3", "b:2"));
}

TEST(ServiceTags, TakeOpenTelemetrysNamesWhereDatadogsAreNotSet) {
  EXPECT_THAT(TagsOf({{"OTEL_SERVICE_NAME", "o"}}), ElementsAre("service:o"));
  EXPECT_THAT(TagsOf({{"OTEL_SERVICE_NAME", "o"}, {"DD_SERVICE", "d"}}),
              ElementsAre("service:d"));
  // Set to nothing is set.
  EXPECT_THAT(TagsOf({{"OTEL_SERVICE_NAME", "o"}, {"DD_SERVICE", ""}}),
              IsEmpty());
  EXPECT_THAT(TagsOf({{"OTEL_RESOURCE_ATTRIBUTES", "a=b"}, {"DD_TAGS", "c:d"}}),
              ElementsAre("c:d"));
  EXPECT_THAT(TagsOf({{"OTEL_RESOURCE_ATTRIBUTES", "a=b"}, {"DD_TAGS", ""}}),
              IsEmpty());
}

TEST(ServiceTags, MapOpenTelemetrysAttributes) {
  EXPECT_THAT(TagsOf({{"OTEL_RESOURCE_ATTRIBUTES",
                       "k=w,Service.Name=n,deployment.environment=e,"
                       "service.version=v"}}),
              ElementsAre("service:n", "env:e", "version:v", "k:w"));
  EXPECT_THAT(TagsOf({{"OTEL_RESOURCE_ATTRIBUTES",
                       "deployment.environment=e,"
                       "deployment.environment.name=f"}}),
              ElementsAre("env:f"));
  EXPECT_THAT(TagsOf({{"OTEL_RESOURCE_ATTRIBUTES", "a=b=c,d=e"}}), IsEmpty());
  EXPECT_THAT(TagsOf({{"OTEL_RESOURCE_ATTRIBUTES", ""}}), IsEmpty());
  std::string many = "k=v";
  for (int i = 0; i < 20; ++i) absl::StrAppend(&many, ",k", i, "=v");
  EXPECT_THAT(TagsOf({{"OTEL_RESOURCE_ATTRIBUTES", many}}), SizeIs(10));
}

TEST(ServiceTags, AreThoseThatTheTracerSays) {
  const Variables variables = {
      {"DD_SERVICE", "a"}, {"DD_ENV", "b"}, {"DD_TAGS", "version:c,team:d"}};
  EXPECT_THAT(
      ServiceTags(variables, Tracer{.version = "4.0.0",
                                    .service = "inferred",
                                    .env = "prod",
                                    .service_version = "7"}),
      ElementsAre("service:inferred", "env:prod", "version:7", "team:d"));
  EXPECT_THAT(ServiceTags(variables, Tracer()),
              ElementsAre("service:a", "env:b", "version:c", "team:d"));
}

TEST(ServiceTags, AreNotWithoutNumber) {
  std::string many = "last:1";
  for (int i = 0; i < 30'000; ++i) absl::StrAppend(&many, ",k", i, ":v");
  EXPECT_THAT(TagsOf({{"DD_TAGS", many}}), SizeIs(100));
  EXPECT_EQ(TagsOf({{"DD_TAGS", many + ",last:2"}}).front(), "last:2");
}

TEST(ServiceTags, LeaveGitMetadataOut) {
  EXPECT_THAT(
      TagsOf({{"DD_TAGS", "git.commit.sha:1,git.repository_url:u,a:b"}}),
      ElementsAre("a:b"));
}

}  // namespace
}  // namespace pycheck
