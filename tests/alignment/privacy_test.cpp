// What one curious node or any reader of the ledger sees, and what can be made of it.

#include <openssl/evp.h>

#include "consilium/foundation/hash.hpp"

#include "commitments.hpp"
#include "consortium.hpp"
#include "frames.hpp"
#include "plan.hpp"
#include "streams.hpp"

namespace consilium::alignment::test {
namespace {

constexpr std::uint64_t cells = 512;

auto single(std::uint64_t cell) -> Bitmap {
  Bitmap out(bitmap_words(cells), 0);
  out[cell / 64] = std::uint64_t{1} << (cell % 64);
  return out;
}

auto raw(const Bitmap& words) -> Bytes {
  const auto* first = reinterpret_cast<const std::uint8_t*>(words.data());
  return {first, first + words.size() * 8};
}

auto sha512(BytesView bytes) -> Bytes {
  Bytes out(64);
  unsigned size = 0;
  EXPECT_EQ(EVP_Digest(bytes.data(), bytes.size(), out.data(), &size, EVP_sha512(), nullptr), 1);
  return out;
}

auto equal_leading_bits(BytesView a, BytesView b) -> int {
  int bits = 0;
  for (std::size_t i = 0; i < std::min(a.size(), b.size()); ++i) {
    const auto difference = static_cast<unsigned>(a[i] ^ b[i]);
    if (difference == 0) {
      bits += 8;
      continue;
    }
    return bits + std::countl_zero(difference) - 24;
  }
  return bits;
}

/// Chance that a member scores above a stranger; ½ for a tie.
auto area_under_curve(std::vector<std::pair<int, bool>> scores) -> double {
  std::map<int, std::pair<double, double>> counts;  // score → members, strangers
  double members = 0;
  double strangers = 0;
  for (const auto& [score, member] : scores) {
    (member ? counts[score].first : counts[score].second) += 1;
    (member ? members : strangers) += 1;
  }
  double below = 0;
  double area = 0;
  for (const auto& [score, at] : counts) {
    area += at.first * (below + at.second / 2);
    below += at.second;
  }
  return area / (members * strangers);
}

struct Published {
  ledger::AlignmentRecord record;
  ledger::AlignCommit commit;
};

/// A dictionary attacker in the place of P0: it reads the ledger, holds the seeds a and b with
/// their nonces, and tries what anybody could compute from a guessed pattern. Its score is the best
/// agreement with any published value.
auto attack(const Published& seen, BytesView upload_to_p0, std::uint64_t guess) -> int {
  const auto bitmap = single(guess);
  const Bytes seed_a(upload_to_p0.begin() + 32, upload_to_p0.begin() + 48);
  const Bytes seed_b(upload_to_p0.begin() + 80, upload_to_p0.begin() + 96);
  const auto expand = [](const Bytes& seed) {
    Bitmap words(bitmap_words(cells));
    WordStreams streams(std::span<const std::uint8_t, stream_key_bytes>(seed.data(), 16));
    streams.read(0, 1, words);
    return words;
  };
  Bitmap third = bitmap;
  const auto a = expand(seed_a);
  const auto b = expand(seed_b);
  for (std::size_t w = 0; w < third.size(); ++w) third[w] ^= a[w] ^ b[w];
  const Bytes no_nonce(nonce_bytes, 0);
  const BytesView own_nonce = upload_to_p0.first(32);
  const auto& sid = seen.record.session;
  std::vector<Bytes> candidates;
  const auto add = [&](const Digest& digest) {
    candidates.emplace_back(digest.bytes.begin(), digest.bytes.end());
  };
  for (const auto& content : {raw(bitmap), raw(third)}) {
    add(sha256(content));
    candidates.push_back(sha512(content));
    add(hmac_sha256(sid, content));
    add(hmac_sha256(seed_a, content));
    for (const BytesView nonce : {BytesView(no_nonce), own_nonce})
      for (std::size_t j = 0; j < 3; ++j)
        add(share_commitment(sid, 1, HospitalId{1}, j, nonce, content));
  }
  add(input_commitment(sid, HospitalId{1}, no_nonce, bitmap));
  add(input_commitment(sid, HospitalId{1}, own_nonce, bitmap));
  int best = 0;
  for (const auto& candidate : candidates) {
    for (const auto& share : seen.commit.shares)
      best = std::max(best, equal_leading_bits(candidate, share.view()));
    best = std::max(best, equal_leading_bits(candidate, seen.commit.input.view()));
  }
  return best;
}

enum class Guard { nonces, share_nonce_removed, input_nonce_removed };

auto attacked(Guard guard, int patterns) -> double {
  SeededRandom random(121, "attacker");
  std::vector<std::pair<int, bool>> scores;
  for (int i = 0; i < patterns; ++i) {
    Published seen;
    seen.record.cells = cells;
    seen.record.chunk_log2 = 20;
    random.fill(seen.record.session);
    Bytes secret(32);
    random.fill(secret);
    const auto own = random.below(cells);
    auto hospital =
        HospitalSession::begin(seen.record, 1, HospitalId{1}, single(own), secret, random);
    seen.commit = *hospital.commitments();
    const auto frame = *hospital.upload_to(0);
    const auto view = BytesView(frame).subspan(frame_header_bytes);
    const Bytes no_nonce(nonce_bytes, 0);
    if (guard == Guard::share_nonce_removed) {
      const auto other = *hospital.upload_to(1);  // nonce b ‖ b ‖ nonce of s_2 ‖ s_2
      const auto s_2 = BytesView(other).subspan(frame_header_bytes + 32 + 16 + 32, cells / 8);
      seen.commit.shares[2] =
          share_commitment(seen.record.session, 1, HospitalId{1}, 2, no_nonce, s_2);
    }
    if (guard == Guard::input_nonce_removed)
      seen.commit.input =
          input_commitment(seen.record.session, HospitalId{1}, no_nonce, single(own));
    const bool member = i % 2 == 0;
    const auto guess = member ? own : (own + 1 + random.below(cells - 1)) % cells;
    scores.emplace_back(attack(seen, view, guess), member);
  }
  return area_under_curve(std::move(scores));
}

TEST(DictionaryAttacker, guesses_at_chance_against_what_is_published) {
  const auto area = attacked(Guard::nonces, 10000);
  EXPECT_GE(area, 0.48);
  EXPECT_LE(area, 0.52);
}

TEST(DictionaryAttacker, wins_when_a_nonce_is_taken_away) {
  EXPECT_GT(attacked(Guard::share_nonce_removed, 500), 0.99);
  EXPECT_GT(attacked(Guard::input_nonce_removed, 500), 0.99);
}

struct Observed {
  std::vector<Letter> letters;
  std::vector<HospitalId> slots;
};

auto observe(unsigned percent, std::uint64_t seed, std::uint64_t session_cells = 2000) -> Observed {
  Consortium consortium(4, schema_of(session_cells), seed);
  SeededRandom random(seed, "sets");
  for (std::size_t h = 0; h < 4; ++h)
    consortium.join(h, cases_of(random_bitmap(random, session_cells, percent), session_cells));
  Consortium::expect_ok(consortium.open(2));
  EXPECT_TRUE(consortium.run());
  return {consortium.seen, consortium.session().record.slots};
}

TEST(Traffic, has_the_same_frames_of_the_same_lengths_for_empty_sparse_and_full_sets) {
  using Shape = std::tuple<std::uint16_t, std::uint16_t, std::uint8_t, std::size_t>;
  std::vector<std::vector<Shape>> shapes;
  for (const unsigned percent : {0U, 2U, 100U}) {
    auto& shape = shapes.emplace_back();
    for (const auto& letter : observe(percent, 131).letters)
      shape.emplace_back(letter.from.value, letter.to.value, letter.frame[5], letter.frame.size());
  }
  EXPECT_FALSE(shapes[0].empty());
  EXPECT_EQ(shapes[0], shapes[1]);
  EXPECT_EQ(shapes[0], shapes[2]);
}

/// Chi-square of bytes against uniform: 255 ± 23 when they are.
auto chi_square(const Bytes& bytes) -> double {
  std::array<double, 256> counts{};
  for (const auto byte : bytes) counts[byte] += 1;
  const double expected = static_cast<double>(bytes.size()) / 256;
  double sum = 0;
  for (const auto count : counts) sum += (count - expected) * (count - expected) / expected;
  return sum;
}

/// The bytes of a level frame that carry whole words of shares. Vectors shorter than a word end in
/// zeros, in every share and for every input; they would only hide what is looked for.
void add_whole_words(const Plan& plan, std::uint32_t level, BytesView frame, Bytes& out) {
  for (const auto wire : plan.levels()[level].conjunctions) {
    const auto& step = plan.steps()[wire];
    if (step.bits % 64 == 0)
      out.insert(out.end(), frame.begin(),
                 frame.begin() + static_cast<std::ptrdiff_t>(step.words() * 8));
    frame = frame.subspan(step.words() * 8);
  }
}

TEST(Shares, of_every_node_look_uniform_whatever_the_sets) {
  constexpr std::uint64_t many = 4096;
  const auto plan = plan_chunk(*make_circuit(4, 2, Output::individual, many), many, true);
  for (const unsigned percent : {0U, 100U}) {
    std::array<Bytes, 3> heard;
    for (std::uint64_t seed = 0; seed < 8; ++seed) {
      const auto observed = observe(percent, 141 + seed, many);
      for (const auto& letter : observed.letters) {
        const auto slot = std::ranges::find(observed.slots, letter.to) - observed.slots.begin();
        if (slot == 3) continue;
        // Everything secret that this node hears: shares in uploads, z words of the next node.
        auto& bytes = heard[static_cast<std::size_t>(slot)];
        const auto frame = *decode_frame(letter.frame);
        if (frame.type == FrameType::upload)
          bytes.insert(bytes.end(), frame.payload.begin(), frame.payload.end() - 32);
        if (frame.type == FrameType::level && frame.chunk == 0)
          add_whole_words(plan.plan, frame.round, frame.payload, bytes);
      }
    }
    for (const auto& bytes : heard) {
      ASSERT_GT(bytes.size(), 20000U);
      EXPECT_LT(chi_square(bytes), 255 + 5 * 22.6) << percent << " %";
      EXPECT_GT(chi_square(bytes), 255 - 5 * 22.6) << percent << " %";
    }
  }
}

TEST(Shares, would_not_look_uniform_if_the_bitmap_itself_were_sent) {
  SeededRandom random(151, "plain");
  EXPECT_GT(chi_square(raw(random_bitmap(random, 1U << 17U, 2))), 1000);
}

}  // namespace
}  // namespace consilium::alignment::test
