#pragma once
// The words a schema file uses for the enumerations of schema.hpp.

#include <array>
#include <optional>
#include <string_view>
#include <utility>

#include "consilium/casebase/schema.hpp"

namespace consilium::casebase {

template <typename Enum, std::size_t Count>
using Words = std::array<std::pair<std::string_view, Enum>, Count>;

inline constexpr Words<Role, 2> role_words{{{"v1", Role::v1}, {"v2", Role::v2}}};
inline constexpr Words<Kind, 4> kind_words{{{"number", Kind::number},
                                            {"ordinal", Kind::ordinal},
                                            {"code", Kind::code},
                                            {"duration", Kind::duration}}};
inline constexpr Words<Similarity, 5> similarity_words{
    {{"exact", Similarity::exact},
     {"ordinal", Similarity::ordinal},
     {"range", Similarity::range},
     {"gaussian", Similarity::gaussian},
     {"log_duration", Similarity::log_duration}}};

/// Whole numbers up to this many characters are written without quotation marks.
inline constexpr std::size_t digits_plain_max = 15;

template <typename Enum, std::size_t Count>
auto word_of(const Words<Enum, Count>& words, Enum value) -> std::string_view {
  for (const auto& [word, meaning] : words)
    if (meaning == value) return word;
  return {};
}

template <typename Enum, std::size_t Count>
auto meaning_of(const Words<Enum, Count>& words, std::string_view word) -> std::optional<Enum> {
  for (const auto& [known, meaning] : words)
    if (known == word) return meaning;
  return std::nullopt;
}

}  // namespace consilium::casebase
