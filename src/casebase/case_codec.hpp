#pragma once
#include "consilium/casebase/case.hpp"
#include "consilium/foundation/bytes.hpp"

namespace consilium::casebase {

/// A case's canonical bytes: equal cases, and only those, have equal bytes.
[[nodiscard]] auto encode_case(const Case& c) -> Bytes;
/// Accepts exactly what encode_case writes. Error: `bad_encoding`.
[[nodiscard]] auto decode_case(BytesView bytes) -> Result<Case>;

}  // namespace consilium::casebase
