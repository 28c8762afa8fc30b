// What stands in the examples for Kubernetes is a configuration of this check.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <variant>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_replace.h"
#include "lib/base/file.h"
#include "lib/config/document.h"
#include "lib/config/options.h"
#include "tests/testing/status_matchers.h"

namespace pycheck {
namespace {

using testing::Contains;
using testing::IsEmpty;

Document Example(const std::string& name) {
  constexpr size_t kLongest = 65536;
  const auto document = ParseYaml(
      *ReadWholeFile(std::string(KUBERNETES_EXAMPLES) + "/" + name, kLongest));
  EXPECT_THAT(document, IsOk());
  return *document;
}

// The options of the only instance of a conf.yaml, which needs no remark.
Options OnlyInstanceOf(const Document& conf) {
  EXPECT_EQ(conf.at("instances").size(), 1U);
  const absl::StatusOr<Options> options =
      ParseOptions(conf.at("init_config"), conf.at("instances").at(0));
  EXPECT_THAT(options, IsOk());
  EXPECT_THAT(options->notes, IsEmpty());
  return *options;
}

std::string HelmConf() {
  return Example("helm-values.yaml")["datadog"]["confd"]["python.yaml"];
}

std::string OperatorConf() {
  return Example(
      "datadog-agent.yaml")["spec"]["override"]["nodeAgent"]["extraConfd"]
                           ["configDataMap"]["python.yaml"];
}

TEST(KubernetesExamples, DiscoverEveryPythonOfANode) {
  const Options options = OnlyInstanceOf(*ParseYaml(HelmConf()));
  EXPECT_TRUE(
      std::holds_alternative<DiscoverSelector>(options.criteria.selector));
  EXPECT_EQ(options.tag_cardinality, TagCardinality::kOrchestrator);
}

TEST(KubernetesExamples, AreTheSameForTheChartAndTheOperator) {
  EXPECT_EQ(*ParseYaml(HelmConf()), *ParseYaml(OperatorConf()));
}

TEST(KubernetesExamples, LetAPodAskForItself) {
  const Document pod = Example("pod-annotations.yaml")["spec"]["template"];
  const std::string text =
      pod["metadata"]["annotations"]["ad.datadoghq.com/web.checks"];
  std::vector<std::string> containers;
  for (const Document& container : pod["spec"]["containers"]) {
    containers.push_back(container["name"]);
  }
  EXPECT_THAT(containers, Contains("web"));
  const std::string uid = "2d3da189-6407-48e3-9ab6-78188d75e609";
  const auto checks =
      ParseJson(absl::StrReplaceAll(text, {{"%%kube_pod_uid%%", uid}}));
  ASSERT_THAT(checks, IsOk());
  EXPECT_FALSE(absl::StrContains(checks->dump(), "%%"));
  const Options options = OnlyInstanceOf(checks->at("python"));
  EXPECT_EQ(std::get<PodSelector>(options.criteria.selector).uid, uid);
}

}  // namespace
}  // namespace pycheck
