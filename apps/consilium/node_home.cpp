#include "node_home.hpp"

#include "consilium/foundation/codec.hpp"
#include "consilium/foundation/files.hpp"
#include "consilium/foundation/hash.hpp"

#include "case_access.hpp"

namespace consilium::app {

namespace {

constexpr std::size_t schema_bytes_max = 4U << 20U;
constexpr std::size_t model_bytes_max = 1U << 30U;
constexpr std::string_view in_force_record = "models/in-force";

}  // namespace

auto config_value(std::string_view text, std::string_view key) -> std::string {
  const std::string start = "\n" + std::string(key) + " = \"";
  const auto at = text.find(start);
  if (at == std::string_view::npos) return {};
  const auto from = at + start.size();
  const auto to = text.find('"', from);
  return std::string(text.substr(from, to == std::string_view::npos ? to : to - from));
}

auto open_home(const std::filesystem::path& directory) -> Result<NodeHome> {
  std::error_code ignored;
  if (!std::filesystem::exists(directory / "casebase.db", ignored)) {
    return fail("file_missing", directory.string(),
                "this is not a hospital's directory: it has no casebase.db; name one such as "
                "out/demo/nodes/hungary");
  }
  CONSILIUM_TRY(const auto config, read_text_file(directory / "config.toml", 1U << 16U));
  CONSILIUM_TRY(const auto toml, read_text_file(directory / "schema.toml", schema_bytes_max));
  CONSILIUM_TRY(auto schema, casebase::parse_schema(toml, (directory / "schema.toml").string()));
  CONSILIUM_TRY(auto casebase, casebase::Casebase::open(directory / "casebase.db", schema));
  return NodeHome{directory, config_value(config, "name"), config_value(config, "title"),
                  std::move(schema), std::move(casebase)};
}

auto save_model_in_force(const std::filesystem::path& directory, const ModelInForce& m)
    -> Result<void> {
  Writer w;
  w.bytes(m.model.encode()).text(casebase::to_toml(m.schema));
  w.bytes(encode_standardisation(m.standardisation)).u64(m.ledger_height).u64(m.round);
  w.digest(tagged_hash("consilium/app/1/model-in-force", {w.view()}));
  return write_file_durably(directory / in_force_record, w.view());
}

auto load_model_in_force(const std::filesystem::path& directory)
    -> Result<std::optional<ModelInForce>> {
  const auto file = directory / in_force_record;
  std::error_code ignored;
  if (!std::filesystem::exists(file, ignored)) return std::optional<ModelInForce>{};
  CONSILIUM_TRY(const auto bytes, read_file(file, model_bytes_max));
  Reader r(bytes, file.string());
  const auto model = r.bytes(model_bytes_max);
  const auto schema = r.text(schema_bytes_max);
  const auto standardisation = r.bytes(1U << 20U);
  const auto height = r.u64();
  const auto round = r.u64();
  const auto checked = BytesView(bytes).first(bytes.size() - r.rest());
  const auto digest = r.digest();
  if (!r.finish() || digest != tagged_hash("consilium/app/1/model-in-force", {checked})) {
    return fail("bad_model", file.string(),
                "the model's file was changed; restore it, or run a round again");
  }
  CONSILIUM_TRY(auto decoded, learning::Model::decode(model));
  CONSILIUM_TRY(auto parsed, casebase::parse_schema(schema, file.string()));
  CONSILIUM_TRY(auto norm, decode_standardisation(standardisation));
  return std::optional<ModelInForce>{
      ModelInForce{std::move(decoded), std::move(parsed), std::move(norm), height, round}};
}

}  // namespace consilium::app
