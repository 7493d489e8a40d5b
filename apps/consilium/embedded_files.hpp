#pragma once
#include <string_view>

namespace consilium::app {

/// A file of cohorts/, by its path below it ("heart/schema.toml"); empty when the program does not
/// carry it.
[[nodiscard]] auto embedded_file(std::string_view name) -> std::string_view;

}  // namespace consilium::app
