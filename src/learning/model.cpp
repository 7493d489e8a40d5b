#include "consilium/learning/model.hpp"

#include <algorithm>
#include <cmath>

#include "consilium/foundation/codec.hpp"
#include "consilium/foundation/hash.hpp"

#include "network.hpp"

namespace consilium::learning {
namespace {

constexpr std::uint32_t inputs_max = 1U << 20U;
constexpr std::uint32_t width_max = 1U << 16U;
constexpr std::size_t hidden_max = 32;
constexpr std::size_t parameters_max = std::size_t{1} << 28U;  // 1 GiB of floats

constexpr std::string_view file_magic = "CONSBP\n\x1a";
constexpr std::uint32_t file_version = 1;

// Rows are independent in a forward pass: a block keeps the working memory small for any number of
// rows.
constexpr std::size_t block_rows = 256;

auto is_possible(const ModelShape& shape) -> bool {
  if (shape.inputs < 1 || shape.inputs > inputs_max) return false;
  if (shape.outputs < 1 || shape.outputs > width_max) return false;
  if (shape.hidden.size() > hidden_max) return false;
  if (!std::all_of(shape.hidden.begin(), shape.hidden.end(),
                   [](std::uint32_t width) { return width >= 1 && width <= width_max; }))
    return false;
  return shape.parameter_count() <= parameters_max;
}

auto bad_model(std::string_view sentence) -> tl::unexpected<Error> {
  return fail("bad_model", "model", sentence);
}

auto block_of(const Batch& batch, std::size_t first) -> Batch {
  const auto rows = std::min(block_rows, batch.rows - first);
  return {rows, batch.columns, batch.values.subspan(first * batch.columns, rows * batch.columns),
          batch.disease.empty() ? batch.disease : batch.disease.subspan(first, rows)};
}

}  // namespace

auto ModelShape::parameter_count() const -> std::size_t {
  const auto last = layers_of(*this).back();
  return last.biases_at + last.outputs;
}

auto ModelShape::encode() const -> Bytes {
  Writer writer;
  writer.u32(inputs);
  writer.list(hidden, [](Writer& w, std::uint32_t width) { w.u32(width); });
  writer.u32(outputs);
  return writer.take();
}

auto ModelShape::decode(BytesView bytes) -> Result<ModelShape> {
  Reader reader(bytes, "model shape");
  ModelShape shape;
  shape.inputs = reader.u32();
  shape.hidden = reader.list(hidden_max, [](Reader& r) { return r.u32(); });
  shape.outputs = reader.u32();
  if (!reader.finish() || !is_possible(shape))
    return fail("bad_model", "model shape",
                "The shape of the model is damaged or too large; take the model from a node "
                "that agrees with the ledger.");
  return shape;
}

auto class_count(const ModelShape& shape) -> std::size_t {
  return shape.outputs == 1 ? 2 : shape.outputs;
}

Model::Model(ModelShape shape) : shape_(std::move(shape)) {
  CONSILIUM_ENSURE(is_possible(shape_));
  parameters_.resize(shape_.parameter_count());
}

void Model::initialise(Random& random) {
  std::fill(parameters_.begin(), parameters_.end(), 0.0F);
  const auto layers = layers_of(shape_);
  for (std::size_t l = 0; l < layers.size(); ++l) {
    const auto& layer = layers[l];
    const bool hidden = l + 1 < layers.size();
    const double fan = hidden ? static_cast<double>(layer.inputs)
                              : static_cast<double>(layer.inputs + layer.outputs);
    const double deviation = std::sqrt(2.0 / fan);
    for (std::size_t i = layer.weights_at; i < layer.biases_at; ++i)
      parameters_[i] = static_cast<float>(deviation * random.normal());
  }
}

auto Model::predict(const Batch& batch) const -> std::vector<float> {
  CONSILIUM_ENSURE(fits(batch, shape_, false));
  const auto classes = class_count(shape_);
  std::vector<float> out(batch.rows * classes);
  Network network(shape_, std::min(batch.rows, block_rows));
  for (std::size_t first = 0; first < batch.rows; first += block_rows) {
    const auto block = block_of(batch, first);
    network.forward(parameters_, block);
    network.posterior(block.rows, std::span(out).subspan(first * classes, block.rows * classes));
  }
  return out;
}

auto Model::loss_and_gradient(const Batch& batch, std::vector<float>& gradient) const -> double {
  CONSILIUM_ENSURE(fits(batch, shape_, true));
  gradient.assign(parameters_.size(), 0.0F);
  const auto recorded = recorded_rows(batch);
  if (recorded == 0) return 0;
  Network network(shape_, batch.rows);
  network.forward(parameters_, batch);
  network.backward(parameters_, batch, gradient);
  return network.loss_sum(batch) / static_cast<double>(recorded);
}

auto Model::loss(const Batch& batch) const -> double {
  CONSILIUM_ENSURE(fits(batch, shape_, true));
  const auto recorded = recorded_rows(batch);
  if (recorded == 0) return 0;
  Network network(shape_, std::min(batch.rows, block_rows));
  double sum = 0;
  for (std::size_t first = 0; first < batch.rows; first += block_rows) {
    const auto block = block_of(batch, first);
    network.forward(parameters_, block);
    sum += network.loss_sum(block);
  }
  return sum / static_cast<double>(recorded);
}

auto Model::digest() const -> Digest {
  Writer writer;
  for (const float p : parameters_) writer.f32(p);
  return tagged_hash("consilium/model/1", {shape_.encode(), writer.view()});
}

auto Model::encode() const -> Bytes {
  Writer writer;
  writer.fixed(as_bytes(file_magic)).u32(file_version).bytes(shape_.encode());
  writer.list(parameters_, [](Writer& w, float p) { w.f32(p); });
  return writer.take();
}

auto Model::decode(BytesView bytes) -> Result<Model> {
  Reader reader(bytes, "model");
  const auto magic = reader.fixed(file_magic.size());
  if (!reader.ok() || as_text(magic) != file_magic)
    return bad_model("This is not a model file of consilium; name the right file.");
  if (reader.u32() != file_version)
    return bad_model("The model file has another version; use the program that wrote it.");
  CONSILIUM_TRY(auto shape, ModelShape::decode(reader.bytes(4096)));
  // The length is checked before the parameters get their memory.
  const auto count = shape.parameter_count();
  if (reader.u32() != count || reader.rest() != count * sizeof(float))
    return bad_model("The model file is cut or damaged; fetch the model again.");
  Model model(std::move(shape));
  for (auto& p : model.parameters_) {
    p = reader.f32();
    if (!std::isfinite(p))
      return bad_model("A parameter of the model is not a number; fetch the model again.");
  }
  if (!reader.finish()) return bad_model("The model file is damaged; fetch the model again.");
  return model;
}

}  // namespace consilium::learning
