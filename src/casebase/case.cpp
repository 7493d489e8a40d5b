#include "consilium/casebase/case.hpp"

namespace consilium::casebase {

auto status_name(Status status) -> std::string_view {
  switch (status) {
    case Status::recorded:
      return "recorded";
    case Status::confirmed:
      return "confirmed";
    case Status::adjusted:
      return "adjusted";
    case Status::rejected:
      return "rejected";
    case Status::sample:
      return "sample";
    case Status::unreasonable:
      return "unreasonable";
    case Status::held_back:
      return "held_back";
  }
  return "unknown";
}

}  // namespace consilium::casebase
