#include "consilium/alignment/circuit.hpp"

#include <bit>
#include <cstdlib>

#include <gtest/gtest.h>

#include "consilium/foundation/random.hpp"

#include "circuit_builder.hpp"
#include "plan.hpp"

namespace consilium::alignment {
namespace {

/// 64 inputs at once: bit j of every word is one assignment.
auto evaluate(const Circuit& circuit, std::vector<std::uint64_t> wires)
    -> std::vector<std::uint64_t> {
  for (const auto& gate : circuit.gates) {
    EXPECT_EQ(gate.out, wires.size());
    wires.push_back(gate.kind == GateKind::conjunction ? wires[gate.a] & wires[gate.b]
                                                       : wires[gate.a] ^ wires[gate.b]);
  }
  std::vector<std::uint64_t> out;
  for (const auto wire : circuit.outputs) out.push_back(wires[wire]);
  return out;
}

/// Compares 64 assignments with plain counting; gives the number of wrong bits.
auto mistakes(const Circuit& circuit, std::uint32_t k, Output output,
              const std::vector<std::uint64_t>& inputs) -> int {
  const auto out = evaluate(circuit, inputs);
  int wrong = 0;
  for (unsigned j = 0; j < 64; ++j) {
    std::uint32_t count = 0;
    for (const auto word : inputs) count += static_cast<std::uint32_t>(word >> j & 1U);
    for (std::size_t o = 0; o < out.size(); ++o) {
      const bool own = output == Output::collective || (inputs[o] >> j & 1U) != 0;
      if (((out[o] >> j & 1U) != 0) != (count >= k && own)) ++wrong;
    }
  }
  return wrong;
}

TEST(Circuit, is_right_for_all_inputs_of_few_hospitals) {
  // All 2^n inputs up to n = 8 here, up to 14 with the long suite.
  const std::uint32_t n_max = std::getenv("CONSILIUM_LONG_TESTS") != nullptr ? 14 : 8;
  for (std::uint32_t n = 2; n <= n_max; ++n)
    for (std::uint32_t k = 2; k <= n; ++k)
      for (const auto output : {Output::individual, Output::collective}) {
        const auto circuit = *make_circuit(n, k, output, std::nullopt);
        for (std::uint64_t base = 0; base < std::uint64_t{1} << n; base += 64) {
          std::vector<std::uint64_t> inputs(n, 0);
          for (unsigned j = 0; j < 64; ++j)
            for (std::uint32_t h = 0; h < n; ++h) inputs[h] |= ((base + j) >> h & 1U) << j;
          ASSERT_EQ(mistakes(circuit, k, output, inputs), 0) << "n " << n << " k " << k;
        }
      }
}

TEST(Circuit, is_right_around_the_threshold_for_many_hospitals) {
  SeededRandom random(11, "circuit");
  for (std::uint32_t n = 9; n <= 64; ++n) {
    const std::vector<std::uint32_t> thresholds{
        2, 3, n / 2, n - 1, n, static_cast<std::uint32_t>(2 + random.below(n - 1))};
    for (const auto k : thresholds) {
      const auto circuit = *make_circuit(n, k, Output::individual, std::nullopt);
      std::vector<std::uint64_t> inputs(n, 0);
      for (unsigned j = 0; j < 64; ++j) {
        // k−2 .. k+1 hospitals hold the cell.
        const auto holders = std::min<std::uint64_t>(n, k + random.below(4) - 2U);
        std::vector<std::uint32_t> order(n);
        for (std::uint32_t h = 0; h < n; ++h) order[h] = h;
        random.shuffle(std::span(order));
        for (std::size_t h = 0; h < holders; ++h) inputs[order[h]] |= std::uint64_t{1} << j;
      }
      ASSERT_EQ(mistakes(circuit, k, Output::individual, inputs), 0) << "n " << n << " k " << k;
    }
  }
}

TEST(Circuit, costs_what_the_specification_says) {
  struct Row {
    std::uint32_t n, k;
    std::size_t threshold, individual, with_cap, levels;
    double mb_individual, mb_with_cap;
  };
  const std::vector<Row> rows{{3, 2, 1, 4, 7, 1, 0.52, 0.92},
                              {5, 3, 5, 10, 15, 3, 1.31, 1.97},
                              {10, 3, 11, 21, 31, 4, 2.75, 4.06},
                              {20, 10, 21, 41, 61, 5, 5.37, 8.00},
                              {64, 3, 69, 133, 197, 7, 17.4, 25.8}};
  constexpr std::uint32_t cells = 1U << 20U;
  for (const auto& row : rows) {
    SCOPED_TRACE(row.n);
    const auto counting = *make_circuit(row.n, row.k, Output::collective, std::nullopt);
    const auto circuit = *make_circuit(row.n, row.k, Output::individual, std::nullopt);
    EXPECT_EQ(counting.conjunctions(), row.threshold);
    EXPECT_EQ(circuit.conjunctions(), row.individual);
    EXPECT_EQ(counting.levels(), row.levels);
    EXPECT_EQ(circuit.levels(), row.levels + 1);
    const auto plain = plan_chunk(circuit, cells, false);
    EXPECT_EQ(plain.plan.conjunction_bits(), std::uint64_t{cells} * row.individual);
    EXPECT_NEAR(static_cast<double>(plain.plan.frame_words()) * 8e-6, row.mb_individual,
                0.01 * row.mb_individual + 0.005);
    const auto capped = plan_chunk(circuit, cells, true);
    const auto per_cell = static_cast<double>(capped.plan.conjunction_bits()) / cells;
    EXPECT_NEAR(per_cell, static_cast<double>(row.with_cap), 0.01 * row.n);
    EXPECT_LE(capped.plan.rounds(), 45U + 21U);
    EXPECT_NEAR(static_cast<double>(capped.plan.frame_words()) * 8e-6, row.mb_with_cap,
                0.01 * row.mb_with_cap + 0.01);
  }
}

TEST(Circuit, has_a_digest_that_depends_on_everything_it_is_made_from) {
  const auto digest = [](std::uint32_t n, std::uint32_t k, Output output,
                         std::optional<std::uint64_t> cap) {
    return make_circuit(n, k, output, cap)->digest();
  };
  const auto own = digest(4, 2, Output::individual, 315);
  EXPECT_EQ(own, digest(4, 2, Output::individual, 315));
  EXPECT_NE(own, digest(5, 2, Output::individual, 315));
  EXPECT_NE(own, digest(4, 3, Output::individual, 315));
  EXPECT_NE(own, digest(4, 2, Output::collective, 315));
  EXPECT_NE(own, digest(4, 2, Output::individual, 316));
  EXPECT_NE(own, digest(4, 2, Output::individual, std::nullopt));
}

TEST(Circuit, of_an_impossible_session_is_refused) {
  const auto code = [](std::uint32_t n, std::uint32_t k) {
    const auto made = make_circuit(n, k, Output::individual, std::nullopt);
    return made ? std::string("ok") : made.error().code;
  };
  EXPECT_EQ(code(1, 2), "bad_members");
  EXPECT_EQ(code(65, 2), "bad_members");
  EXPECT_EQ(code(4, 0), "bad_threshold");
  EXPECT_EQ(code(4, 1), "bad_threshold");
  EXPECT_EQ(code(4, 5), "bad_threshold");
  EXPECT_EQ(code(64, 64), "ok");
}

// --- three nodes on one plan
// -------------------------------------------------------------------------------------

constexpr std::size_t nodes = 3;

struct ThreeNodes {
  ThreeNodes(const Plan& plan, std::uint64_t seed, std::uint32_t chunk = 0)
      : random(seed, "three nodes") {
    for (std::size_t i = 0; i < nodes; ++i) random.fill(keys[i]);
    for (std::size_t i = 0; i < nodes; ++i) {
      own.emplace_back(keys[i]);
      next.emplace_back(keys[(i + 1) % nodes]);
    }
    for (std::size_t i = 0; i < nodes; ++i) work.emplace_back(plan, chunk, own[i], next[i]);
  }
  void share(std::size_t input, const std::array<std::vector<std::uint64_t>, nodes>& shares) {
    for (std::size_t i = 0; i < nodes; ++i) {
      const auto place = work[i].input(input);
      std::ranges::copy(shares[i], place.first.begin());
      std::ranges::copy(shares[(i + 1) % nodes], place.second.begin());
    }
  }
  void give(std::size_t input, std::vector<std::uint64_t> words) {
    std::array<std::vector<std::uint64_t>, nodes> shares;
    shares[2] = words;
    for (std::size_t i = 0; i < 2; ++i)
      for (std::size_t w = 0; w < words.size(); ++w) {
        shares[i].push_back(random.u64());
        shares[2][w] ^= shares[i][w];
      }
    share(input, shares);
  }
  void run() {
    while (work[0].level() < levels()) {
      std::array<Bytes, nodes> z;
      for (std::size_t i = 0; i < nodes; ++i) z[i] = work[i].open_level();
      for (std::size_t i = 0; i < nodes; ++i) work[i].close_level(z[(i + 1) % nodes]);
    }
    for (auto& node : work) node.settle();
  }
  [[nodiscard]] auto levels() const -> std::size_t { return rounds; }
  auto open(Wire wire) -> std::vector<std::uint64_t> {
    std::vector<std::uint64_t> out;
    for (std::size_t w = 0; w < work[0].share(wire).first.size(); ++w) {
      std::uint64_t word = 0;
      for (std::size_t i = 0; i < nodes; ++i) {
        word ^= work[i].share(wire).first[w];
        // What P_i holds second is what P_{i+1} holds first.
        EXPECT_EQ(work[i].share(wire).second[w], work[(i + 1) % nodes].share(wire).first[w]);
      }
      out.push_back(word);
    }
    return out;
  }
  SeededRandom random;
  std::array<std::array<std::uint8_t, stream_key_bytes>, nodes> keys{};
  std::vector<WordStreams> own, next;
  std::vector<Evaluation> work;
  std::size_t rounds = 0;
};

TEST(ThreeNodes, multiply_all_64_combinations_of_shares) {
  // Bit j of the words holds combination j: three shares of x and three of y.
  std::array<std::vector<std::uint64_t>, nodes> x, y;
  for (unsigned i = 0; i < nodes; ++i) {
    x[i].push_back(0);
    y[i].push_back(0);
    for (unsigned j = 0; j < 64; ++j) {
      x[i][0] |= std::uint64_t{j >> i & 1U} << j;
      y[i][0] |= std::uint64_t{j >> (3 + i) & 1U} << j;
    }
  }
  Plan plan;
  const auto a = plan.input(64);
  const auto b = plan.input(64);
  const auto product = plan.conjunction(a, b);
  plan.finish();
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    ThreeNodes three(plan, seed);
    three.rounds = plan.rounds();
    three.share(0, x);
    three.share(1, y);
    three.run();
    const auto expected = (x[0][0] ^ x[1][0] ^ x[2][0]) & (y[0][0] ^ y[1][0] ^ y[2][0]);
    EXPECT_EQ(three.open(product).front(), expected);
  }
}

TEST(ThreeNodes, count_the_bits_of_a_vector_of_any_length) {
  SeededRandom random(3, "counts");
  for (const std::uint32_t bits : {1U, 2U, 3U, 4U, 5U, 63U, 64U, 65U, 511U, 512U, 513U, 65536U})
    for (const unsigned percent : {0U, 1U, 50U, 100U}) {
      std::vector<std::uint64_t> words((bits + 63) / 64, 0);
      std::uint64_t expected = 0;
      for (std::uint32_t b = 0; b < bits; ++b)
        if (random.below(100) < percent) {
          words[b / 64] |= std::uint64_t{1} << (b % 64);
          ++expected;
        }
      Plan plan;
      const auto counted = plan.count_bits(plan.input(bits));
      plan.finish();
      ThreeNodes three(plan, bits);
      three.rounds = plan.rounds();
      three.give(0, words);
      three.run();
      std::uint64_t count = 0;
      for (std::size_t c = 0; c < counted.size(); ++c)
        count |= (three.open(counted[c]).front() & 1U) << c;
      EXPECT_EQ(count, expected) << bits << " bits, " << percent << " %";
    }
}

TEST(ThreeNodes, find_exactly_the_hospitals_over_the_cap) {
  SeededRandom random(4, "caps");
  for (int round = 0; round < 60; ++round) {
    const auto hospitals = static_cast<std::uint32_t>(3 + random.below(5));
    std::vector<std::uint32_t> chunks;
    std::uint64_t all = 0;
    for (std::size_t c = 1 + random.below(3); c > 0; --c) {
      chunks.push_back(static_cast<std::uint32_t>(512 * (1 + random.below(2))));
      all += chunks.back();
    }
    const auto cap = random.below(all);
    const auto plan = plan_cap(hospitals, chunks, cap);
    ASSERT_TRUE(plan.has_value());
    ThreeNodes three(plan->plan, static_cast<std::uint64_t>(round));
    three.rounds = plan->plan.rounds();
    std::vector<std::uint64_t> totals(hospitals, 0);
    std::size_t input = 0;
    for (const auto chunk : chunks) {
      std::vector<std::uint64_t> counts;
      for (auto& total : totals) {
        // Around the cap as often as anywhere.
        const auto wish = random.below(2) == 0 ? cap - std::min(cap, total) + random.below(2)
                                               : random.below(chunk + 1);
        counts.push_back(std::min<std::uint64_t>(chunk, wish));
        total += counts.back();
      }
      for (unsigned column = 0; chunk >> column != 0; ++column) {
        std::uint64_t word = 0;
        for (std::size_t h = 0; h < hospitals; ++h) word |= (counts[h] >> column & 1U) << h;
        three.give(input++, {word});
      }
    }
    three.run();
    const auto over = three.open(plan->over).front();
    for (std::size_t h = 0; h < hospitals; ++h)
      EXPECT_EQ((over >> h & 1U) != 0, totals[h] > cap) << totals[h] << " of " << cap;
  }
}

TEST(ThreeNodes, need_no_cap_where_nobody_can_be_over_it) {
  const std::vector<std::uint32_t> chunks{512};
  EXPECT_FALSE(plan_cap(4, chunks, 1023).has_value());
  EXPECT_TRUE(plan_cap(4, chunks, 511).has_value());
}

TEST(Streams, give_the_words_of_the_block_cipher_by_chunk_and_stream) {
  // AES-128 under 000102…0f of the block LE32 1 ‖ LE32 2 ‖ LE32 3 ‖ LE32 0, second block of (2, 3).
  std::array<std::uint8_t, stream_key_bytes> key{};
  for (std::size_t i = 0; i < key.size(); ++i) key[i] = static_cast<std::uint8_t>(i);
  WordStreams streams(key);
  std::vector<std::uint64_t> words(300);
  streams.read(2, 3, words);
  std::vector<std::uint64_t> other(300);
  streams.read(3, 2, other);
  EXPECT_NE(words, other);
  WordStreams again(key);
  std::vector<std::uint64_t> shorter(5);
  again.read(2, 3, shorter);
  EXPECT_TRUE(std::equal(shorter.begin(), shorter.end(), words.begin()));
  EXPECT_EQ(words[2], 0x68f63840842352b5ULL);
  EXPECT_EQ(words[3], 0x2338e15228d98663ULL);
}

TEST(StreamsDeathTest, read_twice_stop_the_process) {
  const std::array<std::uint8_t, stream_key_bytes> key{};
  WordStreams streams(key);
  std::vector<std::uint64_t> words(4);
  streams.read(0, 0, words);
  EXPECT_DEATH(streams.read(0, 0, words), "");
}

}  // namespace
}  // namespace consilium::alignment
