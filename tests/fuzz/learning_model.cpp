// A model from another node: refused, or exactly the bytes its own encoder makes.

#include <algorithm>

#include "consilium/learning/model.hpp"

#include "fuzz.hpp"

namespace consilium::fuzz {

auto try_input(BytesView input) -> bool {
  const auto model = learning::Model::decode(input);
  if (!model) return false;
  CONSILIUM_ENSURE(std::ranges::equal(model->encode(), input));
  return true;
}

auto seeds() -> std::vector<Bytes> {
  SeededRandom random(1, "consilium/fuzz/model");
  std::vector<Bytes> out;
  for (const auto& shape : {learning::ModelShape{3, {4}, 2}, learning::ModelShape{2, {}, 1}}) {
    learning::Model model(shape);
    model.initialise(random);
    out.push_back(model.encode());
  }
  return out;
}

}  // namespace consilium::fuzz
