#include "lib/config/section.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "tests/testing/status_matchers.h"

namespace pycheck {
namespace {

using absl::StatusCode;
using testing::HasSubstr;

class SectionTest : public testing::Test {
 protected:
  const Document document_ = *ParseYaml(
      "text: a\nnumber: 5\ntextual: \"7\"\nflag: true\nlist: [a, b]\n"
      "nothing: ~\nhalf: 0.5\n");
  const Section section_{"instance", document_};
};

TEST_F(SectionTest, FindsWhatIsGivenAndNotNothing) {
  EXPECT_EQ(*section_.Find("number"), 5);
  EXPECT_EQ(section_.Find("nothing"), nullptr);
  EXPECT_EQ(section_.Find("missing"), nullptr);
}

TEST_F(SectionTest, GivesDefaultsForWhatIsNotGiven) {
  EXPECT_THAT(section_.String("nothing", ""), IsOkAndHolds(""));
  EXPECT_THAT(section_.Strings("nothing", ""),
              IsOkAndHolds(testing::IsEmpty()));
  EXPECT_THAT(section_.Flag("missing", true), IsOkAndHolds(true));
  EXPECT_THAT(section_.Number("missing", 3, 9, ""), IsOkAndHolds(3));
  EXPECT_THAT(section_.Seconds("missing", absl::Seconds(3)),
              IsOkAndHolds(absl::Seconds(3)));
}

TEST_F(SectionTest, TakesANumberInATextToo) {
  EXPECT_THAT(section_.Number("number", 1, 5, ""), IsOkAndHolds(5));
  EXPECT_THAT(section_.Number("textual", 1, 7, ""), IsOkAndHolds(7));
}

TEST_F(SectionTest, NamesTheOptionTheValueAndTheRemedy) {
  EXPECT_THAT(section_.Number("number", 1, 4, "is too much"),
              StatusIs(StatusCode::kInvalidArgument,
                       "instance option \"number\": 5 is too much"));
  EXPECT_THAT(section_.String("list", "is no text"),
              StatusIs(StatusCode::kInvalidArgument,
                       "instance option \"list\": [\"a\",\"b\"] is no text"));
  EXPECT_THAT(section_.Number("half", 1, 4, "is not whole"),
              HasCode(StatusCode::kInvalidArgument));
}

TEST_F(SectionTest, ProposesAKnownOptionAndNeverAnAcceptedOne) {
  const Document document = *ParseYaml("nmae: 1\nold: 2");
  const Section section("instance", document);
  EXPECT_THAT(section.CheckKeys({"name", "size"}, {"old", "nmea"}),
              StatusIs(StatusCode::kInvalidArgument,
                       "instance option \"nmae\" is not known; did you mean "
                       "\"name\"?"));
  EXPECT_THAT(section.CheckKeys({"nmae"}, {"old"}), IsOk());
  EXPECT_THAT(section.CheckKeys({"nmae"}),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("\"old\"")));
}

}  // namespace
}  // namespace pycheck
