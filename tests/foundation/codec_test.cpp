#include "consilium/foundation/codec.hpp"

#include <algorithm>
#include <cmath>
#include <set>
#include <unordered_set>

#include <gtest/gtest.h>

#include "consilium/foundation/random.hpp"

namespace consilium {
namespace {

TEST(Hex, goes_there_and_back) {
  SeededRandom random(1, "hex");
  for (std::size_t size = 0; size < 70; ++size) {
    Bytes bytes(size);
    random.fill(bytes);
    const std::string text = to_hex(bytes);
    EXPECT_EQ(text.size(), 2 * size);
    EXPECT_EQ(from_hex(text).value(), bytes);
  }
  EXPECT_EQ(to_hex(Bytes{0x00, 0x9f, 0xa0, 0xff}), "009fa0ff");
  // RFC 4648, section 10.
  EXPECT_EQ(to_base64({}), "");
  EXPECT_EQ(to_base64(as_bytes("f")), "Zg==");
  EXPECT_EQ(to_base64(as_bytes("fo")), "Zm8=");
  EXPECT_EQ(to_base64(as_bytes("foobar")), "Zm9vYmFy");
}

TEST(Hex, accepts_only_one_spelling) {
  for (const char* text : {"a", "AB", "0x12", "g0", "0g", " 00", "0-", "é"}) {
    const auto bytes = from_hex(text);
    ASSERT_FALSE(bytes) << text;
    EXPECT_EQ(bytes.error().code, "bad_hex");
  }
}

TEST(Digest, is_read_from_64_digits_and_no_others) {
  const std::string text(64, 'a');
  EXPECT_EQ(Digest::from_hex(text)->hex(), text);
  EXPECT_EQ(Digest::from_hex(text.substr(2)).error().code, "bad_hex");
  EXPECT_EQ(Digest::from_hex(text + "aa").error().code, "bad_hex");
  EXPECT_EQ(Digest::from_hex("").error().code, "bad_hex");
}

TEST(Digest, is_shown_to_people_in_groups) {
  const auto digest = Digest::from_hex("4d81bb2636a5" + std::string(52, '0')).value();
  EXPECT_EQ(digest.short_text(), "4d81 bb26 36a5");
  EXPECT_EQ(digest.short_text(1), "4d81");
  EXPECT_EQ(digest.short_text(16).size(), 64U + 15U);
}

TEST(Digest, is_a_key_in_a_hash_table) {
  std::unordered_set<Digest> digests;
  SeededRandom random(1, "digests");
  for (int i = 0; i < 100; ++i) {
    Digest digest;
    random.fill(digest.bytes);
    EXPECT_TRUE(digests.insert(digest).second);
    EXPECT_FALSE(digests.insert(digest).second);
  }
}

/// One of everything the codec writes.
struct Everything {
  std::uint8_t u8;
  std::uint16_t u16;
  std::uint32_t u32;
  std::uint64_t u64;
  std::int64_t i64;
  bool boolean;
  float f32;
  double f64;
  Digest digest;
  Bytes fixed, bytes;
  std::string text;
  std::vector<std::uint32_t> list;
  auto operator==(const Everything&) const -> bool = default;
};

auto made(Random& random) -> Everything {
  Everything e{};
  e.u8 = static_cast<std::uint8_t>(random.u32());
  e.u16 = static_cast<std::uint16_t>(random.u32());
  e.u32 = random.u32();
  e.u64 = random.u64();
  e.i64 = static_cast<std::int64_t>(random.u64());
  e.boolean = random.below(2) == 1;
  e.f32 = static_cast<float>(random.normal());
  e.f64 = random.normal();
  random.fill(e.digest.bytes);
  e.fixed.resize(7);
  random.fill(e.fixed);
  e.bytes.resize(random.below(20));
  random.fill(e.bytes);
  e.text = to_hex(e.bytes);
  e.list.resize(random.below(9));
  for (auto& item : e.list) item = random.u32();
  return e;
}

auto encoded(const Everything& e, IntegerForm form = IntegerForm::fixed) -> Bytes {
  Writer out(form);
  out.u8(e.u8).u16(e.u16).u32(e.u32).u64(e.u64).i64(e.i64).boolean(e.boolean);
  out.f32(e.f32).f64(e.f64).digest(e.digest).fixed(e.fixed).bytes(e.bytes).text(e.text);
  out.list(e.list, [](Writer& writer, std::uint32_t item) { writer.u32(item); });
  return out.take();
}

auto decoded(BytesView bytes, IntegerForm form = IntegerForm::fixed) -> Result<Everything> {
  Reader in(bytes, "everything", form);
  Everything e{};
  e.u8 = in.u8();
  e.u16 = in.u16();
  e.u32 = in.u32();
  e.u64 = in.u64();
  e.i64 = in.i64();
  e.boolean = in.boolean();
  e.f32 = in.f32();
  e.f64 = in.f64();
  e.digest = in.digest();
  e.fixed = in.fixed(7);
  e.bytes = in.bytes(100);
  e.text = in.text(100);
  e.list = in.list(100, [](Reader& reader) { return reader.u32(); });
  CONSILIUM_CHECK(in.finish());
  return e;
}

TEST(CompactCodec, reads_back_what_it_wrote_and_nothing_shorter) {
  SeededRandom random(7, "codec");
  for (int round = 0; round < 200; ++round) {
    const Everything e = made(random);
    const Bytes bytes = encoded(e, IntegerForm::compact);
    const auto again = decoded(bytes, IntegerForm::compact);
    ASSERT_TRUE(again) << "round " << round << ": " << again.error().message();
    ASSERT_EQ(*again, e) << "round " << round;
    for (std::size_t size = 0; size < bytes.size(); ++size)
      ASSERT_FALSE(decoded(BytesView(bytes).first(size), IntegerForm::compact)) << size;
  }
}

TEST(CompactCodec, takes_a_byte_for_each_seven_bits) {
  const auto size = [](std::uint64_t value) {
    Writer out(IntegerForm::compact);
    out.u64(value);
    return out.view().size();
  };
  EXPECT_EQ(size(0), 1U);
  EXPECT_EQ(size(127), 1U);
  EXPECT_EQ(size(128), 2U);
  EXPECT_EQ(size(16'383), 2U);
  EXPECT_EQ(size(16'384), 3U);
  EXPECT_EQ(size(std::numeric_limits<std::uint64_t>::max()), 10U);
}

TEST(CompactCodec, has_one_encoding_of_every_number_and_no_bytes_without_one) {
  // Strings of up to three bytes: what reads, writes back as it was.
  std::size_t numbers = 0;
  for (std::uint32_t bits = 0; bits < (1U << 24U); bits += bits < (1U << 16U) ? 1U : 7U) {
    const Bytes three{static_cast<std::uint8_t>(bits), static_cast<std::uint8_t>(bits >> 8U),
                      static_cast<std::uint8_t>(bits >> 16U)};
    for (std::size_t size = 1; size <= 3; ++size) {
      const BytesView bytes = BytesView(three).first(size);
      Reader in(bytes, "number", IntegerForm::compact);
      const std::uint16_t value = in.u16();
      if (!in.finish()) continue;
      Writer out(IntegerForm::compact);
      out.u16(value);
      ASSERT_TRUE(std::ranges::equal(out.view(), bytes)) << value;
      ++numbers;
    }
  }
  EXPECT_GT(numbers, 16'384U);
  for (std::uint32_t value = 0; value <= 0xffffU; ++value) {
    Writer out(IntegerForm::compact);
    out.u16(static_cast<std::uint16_t>(value));
    Reader in(out.view(), "number", IntegerForm::compact);
    ASSERT_EQ(in.u16(), value);
    ASSERT_TRUE(in.finish());
  }
  const auto refused = [](const Bytes& bytes) {
    Reader in(bytes, "number", IntegerForm::compact);
    (void)in.u64();
    return !in.finish();
  };
  EXPECT_TRUE(refused({0x80, 0x00})) << "a zero at the end says nothing";
  EXPECT_TRUE(refused(Bytes(11, 0x80)));
  Bytes top(9, 0xff);
  top.push_back(0x01);
  EXPECT_FALSE(refused(top)) << "2^64 - 1";
  top.back() = 0x02;
  EXPECT_TRUE(refused(top)) << "a bit that no number has";
}

TEST(Codec, reads_back_what_it_wrote) {
  SeededRandom random(7, "codec");
  for (int round = 0; round < 200; ++round) {
    const Everything e = made(random);
    const auto again = decoded(encoded(e));
    ASSERT_TRUE(again) << "round " << round << ": " << again.error().message();
    EXPECT_EQ(*again, e) << "round " << round;
  }
}

TEST(Codec, refuses_every_truncation_and_every_extra_byte) {
  SeededRandom random(8, "codec");
  for (int round = 0; round < 20; ++round) {
    Bytes bytes = encoded(made(random));
    for (std::size_t size = 0; size < bytes.size(); ++size) {
      const auto cut = decoded(BytesView(bytes).first(size));
      ASSERT_FALSE(cut) << "round " << round << ", size " << size;
      EXPECT_EQ(cut.error().code, "bad_encoding");
      EXPECT_EQ(cut.error().place, "everything");
    }
    bytes.push_back(0);
    EXPECT_EQ(decoded(bytes).error().code, "bad_encoding");
  }
}

TEST(Codec, gives_a_changed_value_or_a_refusal_for_every_flipped_bit) {
  SeededRandom random(9, "codec");
  const Everything e = made(random);
  const Bytes bytes = encoded(e);
  for (std::size_t bit = 0; bit < 8 * bytes.size(); ++bit) {
    Bytes flipped = bytes;
    flipped[bit / 8] ^= static_cast<std::uint8_t>(1U << (bit % 8));
    const auto read = decoded(flipped);
    if (read && !std::isnan(read->f32) && !std::isnan(read->f64)) {
      EXPECT_EQ(encoded(*read), flipped) << "bit " << bit;
    }
  }
}

TEST(Codec, writes_little_endian) {
  Writer out;
  out.u16(0x0102).u32(0x03040506).u64(0x0708090A0B0C0D0E).i64(-2).boolean(true).text("hi");
  EXPECT_EQ(to_hex(out.view()),
            "0201"
            "06050403"
            "0e0d0c0b0a090807"
            "feffffffffffffff"
            "01"
            "020000006869");
}

TEST(Reader, takes_no_boolean_but_0_and_1) {
  for (unsigned value = 0; value < 256; ++value) {
    const Bytes bytes{static_cast<std::uint8_t>(value)};
    Reader in(bytes);
    EXPECT_EQ(in.boolean(), value == 1);
    EXPECT_EQ(in.ok(), value <= 1);
  }
}

TEST(Reader, fails_for_good_after_the_first_bad_read) {
  const Bytes bytes{5, 1, 2, 3, 4};
  Reader in(bytes);
  EXPECT_FALSE(in.boolean());
  EXPECT_EQ(in.u8(), 0);
  EXPECT_EQ(in.u32(), 0U);
  EXPECT_TRUE(in.fixed(1).empty());
  EXPECT_TRUE(in.text(9).empty());
  EXPECT_EQ(in.digest(), Digest{});
  EXPECT_EQ(in.finish().error().code, "bad_encoding");
}

TEST(Reader, refuses_lengths_above_the_limit) {
  const Bytes five = Writer().text("12345").take();
  Reader fits(five);
  EXPECT_EQ(fits.text(5), "12345");
  EXPECT_TRUE(fits.finish());
  Reader limited(five);
  EXPECT_EQ(limited.text(4), "");
  EXPECT_FALSE(limited.ok());
  Reader as_bytes_limited(five);
  EXPECT_TRUE(as_bytes_limited.bytes(4).empty());
  EXPECT_FALSE(as_bytes_limited.ok());
}

TEST(Reader, refuses_a_count_that_the_rest_cannot_hold) {
  const auto count_of = [](std::uint32_t count, std::size_t rest, std::size_t count_max) {
    const Bytes bytes = Writer().u32(count).fixed(Bytes(rest, 0)).take();
    Reader in(bytes);
    const std::size_t read = in.count(count_max);
    EXPECT_TRUE(in.ok() ? read == count : read == 0);
    return in.ok();
  };
  EXPECT_TRUE(count_of(3, 3, 3));
  EXPECT_FALSE(count_of(4, 3, 9));
  EXPECT_FALSE(count_of(3, 9, 2));
  EXPECT_TRUE(count_of(0, 0, 0));
  EXPECT_FALSE(count_of(0xFFFFFFFF, 100, 0xFFFFFFFF));
}

TEST(Reader, never_allocates_more_than_the_input) {
  // A length of 4 GiB in a message of 6 bytes.
  const Bytes bytes{0xFF, 0xFF, 0xFF, 0xFF, 1, 2};
  Reader in(bytes);
  const Bytes read = in.bytes(std::numeric_limits<std::size_t>::max());
  EXPECT_EQ(read.capacity(), 0U);
  EXPECT_FALSE(in.ok());
}

TEST(Reader, can_be_told_that_a_value_is_wrong) {
  const Bytes bytes{1};
  Reader in(bytes);
  (void)in.u8();
  in.reject();
  EXPECT_EQ(in.finish().error().code, "bad_encoding");
}

}  // namespace
}  // namespace consilium
