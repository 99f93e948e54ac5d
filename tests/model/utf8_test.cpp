#include "model/utf8.h"

#include <gtest/gtest.h>

#include <string>

namespace siamese {
namespace {

TEST(Utf8, TakesCharactersOfEveryLength) {
  for (const char* const text : {"", "plain", "K\xC3\xB6ln", "\xE6\x9D\xB1\xE4\xBA\xAC",
                                 "\xF0\x9F\x97\xBA", "\xED\x9F\xBF", "\xF4\x8F\xBF\xBF"}) {
    EXPECT_TRUE(is_utf8(text)) << text;
  }
}

TEST(Utf8, RefusesWhatIsNone) {
  const std::string_view cases[] = {
      "\xFF",              // no first byte
      "K\xF6ln",           // Latin-1
      "\x80",              // a continuation alone
      "\xC3",              // cut off
      "\xE6\x9D",          // cut off
      "\xC0\xAF",          // '/' in a longer form
      "\xE0\x80\xAF",      // and in a longer one
      "\xF0\x80\x80\xAF",  // and in the longest
      "\xED\xA0\x80",      // half of a surrogate pair
      "\xF4\x90\x80\x80",  // above U+10FFFF
      "\xF5\x80\x80\x80",
  };
  for (const std::string_view text : cases) EXPECT_FALSE(is_utf8(text)) << shown(text);
}

TEST(Utf8, EscapedIsOneLineWithoutControlCharacters) {
  EXPECT_EQ(escaped("K\xC3\xB6ln 'a' \\n"), "K\xC3\xB6ln 'a' \\n");
  EXPECT_EQ(escaped("two\nlines\r\t\x1B[2J\x7F"), "two\\nlines\\x0d\\x09\\x1b[2J\\x7f");
  EXPECT_EQ(escaped(std::string("nul\0", 4)), "nul\\x00");
  EXPECT_EQ(escaped("K\xF6ln \xE6\x9D"), "K\\xf6ln \\xe6\\x9d");
  EXPECT_EQ(escaped("\xC2\x9B 2J \xC2\xA0"), "\\xc2\\x9b 2J \xC2\xA0")
      << "an escape of one character";
  EXPECT_EQ(escaped(escaped("\xFF\n")), "\\xff\\n");
}

TEST(Utf8, ShownIsOneLineOfUtf8) {
  EXPECT_EQ(shown("K\xC3\xB6ln"), "'K\xC3\xB6ln'");
  EXPECT_EQ(shown("K\xF6ln\n\x7F"), "'K\\xf6ln\\n\\x7f'");
  // The cut at 40 bytes does not fall into a character.
  EXPECT_EQ(shown(std::string(39, 'x') + "\xC3\xB6z"), "'" + std::string(39, 'x') + "\xC3\xB6..'");
}

}  // namespace
}  // namespace siamese
