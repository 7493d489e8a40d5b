#include "consilium/casebase/admission.hpp"

#include <algorithm>
#include <map>

#include <gtest/gtest.h>

#include "consilium/foundation/random.hpp"

#include "example.hpp"

namespace consilium::casebase {
namespace {

auto admit(const std::string& rows) -> Result<AdmittedTable> {
  return admit_table(rows, "cases.csv", example::mapping(), example::schema(), "E");
}
auto with_header(const std::string& rows) -> std::string {
  return std::string(example::header) + rows;
}

TEST(Admission, turns_a_row_into_a_sample) {
  const auto table = admit(with_header("Ms Smith,63.0,1.0,mild,38.50,flu\n"));
  ASSERT_TRUE(table) << table.error().message();
  ASSERT_EQ(table->cases.size(), 1U);
  const auto& c = table->cases.front();
  EXPECT_EQ(c.id.value, "E-0001");
  EXPECT_EQ(c.status, Status::sample);
  EXPECT_EQ(c.source, "cases.csv:2");
  EXPECT_EQ(c.age_years, (Value{example::number("63"), "", "a"}));
  EXPECT_EQ(c.sex, "male");
  ASSERT_EQ(c.findings.size(), 1U);
  EXPECT_EQ(c.findings[0].severity, "mild");
  ASSERT_EQ(c.findings[0].exams.size(), 1U);
  EXPECT_EQ(c.findings[0].exams[0], (Exam{"temperature", {example::number("38.5"), "", "Cel"}}));
  EXPECT_EQ(c.outcome.disease, "influenza");
  EXPECT_TRUE(table->hospitals.empty());
  EXPECT_TRUE(check_case(c, example::schema()));
}

TEST(Admission, strips_identifiers_and_counts_them) {
  const auto table =
      admit(with_header("Smith,40,0,mild,37,flu\n?,41,0,mild,37,flu\nJones,42,1,,,lung\n"));
  ASSERT_TRUE(table);
  EXPECT_EQ(table->report.identifiers_removed, 2U);
  EXPECT_EQ(table->report.rows, 3U);
  EXPECT_EQ(table->report.admitted, 3U);
  for (const auto& c : table->cases) {
    EXPECT_EQ(c.source.find("Smith"), std::string::npos);
    EXPECT_EQ(c.id.value.find("Smith"), std::string::npos);
  }
}

TEST(Admission, knows_missing_values_by_text_and_by_value) {
  const auto table = admit(with_header("a,?,-9.0,,cold,flu\n"));
  ASSERT_TRUE(table) << table.error().message();
  const auto& c = table->cases.front();
  for (const auto& a : example::schema().attributes)
    EXPECT_EQ(value_of(c, a).has_value(), a.name == "disease") << a.name;
  EXPECT_TRUE(c.findings.empty());
  EXPECT_TRUE(table->report.warnings.empty());
}

TEST(Admission, takes_impossible_numbers_as_not_recorded_and_warns_with_counts_only) {
  const auto table = admit(
      with_header("a,50,1,mild,370,flu\nb,51,1,mild,0,flu\nc,52,1,mild,30.5,flu\nd,400,1,,,flu\n"));
  ASSERT_TRUE(table);
  EXPECT_EQ(table->report.warnings,
            (std::vector<std::string>{"age: 1 values outside 0..120 a taken as not recorded",
                                      "temperature: 2 values outside 30.5..45 Cel taken as not "
                                      "recorded"}));
  EXPECT_FALSE(value_of(table->cases[0], *example::schema().find("temperature")));
  EXPECT_TRUE(value_of(table->cases[2], *example::schema().find("temperature")));
}

TEST(Admission, reads_the_same_rows_from_every_way_of_writing_lines) {
  const std::string rows =
      "name,age,sex,cough,temp,diagnosis\na,63,1,mild,38.5,flu\nb,64,0,,37,lung\n";
  const auto plain = admit(rows);
  ASSERT_TRUE(plain);
  const auto with_newline = [&](std::string_view newline) {
    std::string out;
    for (const char c : rows) c == '\n' ? out += newline : out += c;
    return out;
  };
  for (const auto& text :
       {with_newline("\r\n"), with_newline("\r"), rows.substr(0, rows.size() - 1),
        "\xef\xbb\xbf" + rows, rows + "\n\n", "\n" + rows}) {
    const auto table = admit(text);
    ASSERT_TRUE(table) << table.error().message();
    ASSERT_EQ(table->cases.size(), 2U);
    for (std::size_t i = 0; i < 2; ++i) {
      auto got = table->cases[i];
      if (text[0] == '\n') got.source = plain->cases[i].source;  // one line further down
      EXPECT_EQ(got, plain->cases[i]);
    }
  }
}

TEST(Admission, reads_quoted_fields) {
  const auto table =
      admit(with_header("\"Smith, \"\"Jo\"\"\r\nJr\",\"63\",\" 1 \",mild,\"38.5\",\"flu\"\nb,\t64 "
                        ",0,mild,37,lung\n"));
  ASSERT_TRUE(table) << table.error().message();
  ASSERT_EQ(table->cases.size(), 2U);
  EXPECT_EQ(table->cases[0].sex, "male");
  EXPECT_EQ(table->cases[1].source, "cases.csv:4");
  EXPECT_EQ(table->cases[1].age_years.number->to_text(), "64");
}

TEST(Admission, refuses_bad_input_with_file_line_and_reason) {
  struct Bad {
    std::string text;
    std::string_view code, place;
  };
  const std::string good = "a,63,1,mild,38.5,flu\n";
  const std::string wide(1U << 21U, 'x');
  std::string columns = "c0";
  for (int i = 1; i < 5000; ++i) columns += ",c" + std::to_string(i);
  for (const auto& bad : std::initializer_list<Bad>{
           {"", "table_empty", "cases.csv"},
           {"\n\n", "table_empty", "cases.csv"},
           {with_header(""), "table_empty", "cases.csv"},
           {"name,age,sex,cough,temp\na,1,1,mild,37\n", "wrong_columns", "cases.csv, line 1"},
           {"name,age,sex,cough,temp,diagnosis,extra\n", "wrong_columns", "cases.csv, line 1"},
           {"name,age,sex,cough,temp,diagnosis,age\n", "wrong_columns", "cases.csv, line 1"},
           {good, "wrong_columns", "cases.csv, line 1"},
           {with_header(good + "b,63,1,mi"), "wrong_columns", "cases.csv, line 3"},
           {with_header(good + "b,63,1,mild,37,flu,\n"), "wrong_columns", "cases.csv, line 3"},
           {with_header(good + "b,63,1,mild,37,"), "unknown_code", "cases.csv, line 3"},
           {with_header(good + "b,63,1,mild,37,fl"), "unknown_code", "cases.csv, line 3"},
           {with_header(good + "b,\"63,1,mild,37,flu\n"), "wrong_columns", "cases.csv, line 3"},
           {with_header(good + "b,\"63\"x,1,mild,37,flu\n"), "wrong_columns", "cases.csv, line 3"},
           {with_header("b;63;1;mild;37;flu\n"), "wrong_columns", "cases.csv, line 2"},
           {with_header(good + "b,old,1,mild,37,flu\n"), "bad_number", "cases.csv, line 3"},
           {with_header(good + "b,63,1,mild,NaN,flu\n"), "bad_number", "cases.csv, line 3"},
           {with_header(good + "b,63,1,mild,37 C,flu\n"), "bad_number", "cases.csv, line 3"},
           {with_header(good + "b,63,1,mild,=1+1,flu\n"), "bad_number", "cases.csv, line 3"},
           {with_header(good + "b,63,2,mild,37,flu\n"), "unknown_code", "cases.csv, line 3"},
           {with_header(good + "b,63,1,dreadful,37,flu\n"), "unknown_code", "cases.csv, line 3"},
           {with_header(good + "b\xff,63,1,mild,37,flu\n"), "bad_encoding_utf8",
            "cases.csv, line 3"},
           {with_header(good + "b\xc0\xaf,63,1,mild,37,flu\n"), "bad_encoding_utf8",
            "cases.csv, line 3"},
           {with_header(good + "b\xed\xa0\x80,63,1,,37,flu\n"), "bad_encoding_utf8",
            "cases.csv, line 3"},
           {"\xff\xfen\0a\0m\0", "bad_encoding_utf8", "cases.csv"},
           {with_header(wide), "line_too_long", "cases.csv, line 2"},
           {with_header("\"" + wide), "line_too_long", "cases.csv, line 2"},
           {columns, "too_many_columns", "cases.csv, line 1"}}) {
    const auto table = admit(bad.text);
    const auto shown = bad.text.substr(0, 80);
    ASSERT_FALSE(table) << shown;
    EXPECT_EQ(table.error().code, bad.code) << shown;
    EXPECT_EQ(table.error().place, bad.place) << shown;
    EXPECT_FALSE(table.error().sentence.empty());
    // What stands in a patient's row is not repeated.
    for (const std::string_view told : {"dreadful", "old", "1+1", "NaN"})
      EXPECT_EQ(table.error().sentence.find("'" + std::string(told)), std::string::npos) << shown;
  }
}

TEST(Admission, survives_any_bytes) {
  const std::string good = with_header("\"a\"\"b\",63,1,mild,38.5,flu\r\nb,64,0,?,37,lung\n");
  for (std::uint64_t seed = 0; seed < 3000; ++seed) {
    SeededRandom random(seed, "bytes");
    auto text = good;
    for (std::uint64_t change = 0; change <= random.below(4); ++change)
      text[random.below(text.size())] = "\"\n\r,?-9.e\x80\xff a1"[random.below(14)];
    text.resize(random.below(text.size() + 1));
    const auto table = admit(text);
    if (!table) {
      EXPECT_FALSE(table.error().code.empty()) << "seed " << seed;
      continue;
    }
    for (const auto& c : table->cases)
      EXPECT_TRUE(check_case(c, example::schema())) << "seed " << seed;
  }
}

TEST(Admission, counts_columns_where_there_is_no_header) {
  const auto mapping = parse_mapping(R"(
name = "bare"
header = false
separator = ";"
missing = ["?"]
[[column]]
column = "#2"
target = "disease"
words = { "0" = "none" }
[[column]]
column = "#1"
target = "age"
[[column]]
column = "#3"
target = "ignore"
)",
                                     "bare.toml");
  ASSERT_TRUE(mapping) << mapping.error().message();
  const auto read = [&](std::string_view text) {
    return admit_table(text, "bare.csv", *mapping, example::schema(), "B");
  };
  const auto table = read("63.0;0.0;x\n?;0;y");
  ASSERT_TRUE(table) << table.error().message();
  EXPECT_EQ(table->cases[0].outcome.disease, "none");
  EXPECT_EQ(table->cases[0].source, "bare.csv:1");
  EXPECT_FALSE(table->cases[1].age_years.number);
  const auto headed = read("age;disease;x\n63;0;y\n");
  ASSERT_FALSE(headed);
  EXPECT_NE(headed.error().sentence.find("header"), std::string::npos);
  EXPECT_FALSE(read("63;0\n"));
}

TEST(Admission, cuts_a_table_by_hospital_and_moves_misfiled_rows) {
  const auto mapping = parse_mapping(R"(
name = "two houses"
[[column]]
column = "id"
target = "identifier"
[[column]]
column = "house"
target = "hospital"
[[column]]
column = "age"
target = "age"
[[hospital]]
name = "North"
prefix = "N"
[[hospital]]
name = "South"
title = "South House"
prefix = "S"
[[move]]
identifier = "3"
to = "South"
first = true
[[move]]
identifier = "5"
to = "North"
)",
                                     "two.toml");
  ASSERT_TRUE(mapping) << mapping.error().message();
  const auto read = [&](std::string_view text) {
    return admit_table(text, "two.csv", *mapping, example::schema(), "X");
  };
  auto table = read("id,house,age\n1,North,21\n2,South,22\n3.0,North,23\n4,North,24\n5,South,25\n");
  ASSERT_TRUE(table) << table.error().message();
  EXPECT_EQ(table->hospitals,
            (std::vector<std::string>{"North", "South", "South", "North", "North"}));
  const auto grouped = group_by_hospital(std::move(*table), *mapping);
  ASSERT_TRUE(grouped) << grouped.error().message();
  std::string seen;
  for (const auto& hospital : *grouped)
    for (const auto& c : hospital.cases)
      seen += c.id.value + ":" + c.age_years.number->to_text() + ":" + c.source + " ";
  EXPECT_EQ(seen,
            "N-0001:21:two.csv:2 N-0002:24:two.csv:5 N-0003:25:two.csv:6 "
            "S-0001:23:two.csv:4 S-0002:22:two.csv:3 ");
  EXPECT_EQ((*grouped)[1].hospital.title, "South House");

  const auto stranger = read("id,house,age\n1,East,21\n");
  ASSERT_FALSE(stranger);
  EXPECT_EQ(stranger.error().code, "unknown_code");
  EXPECT_EQ(stranger.error().place, "two.csv, line 2");
  auto half = read("id,house,age\n1,North,21\n");
  ASSERT_TRUE(half);
  EXPECT_EQ(half->report.warnings.size(), 2U);
  const auto missing = group_by_hospital(std::move(*half), *mapping);
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, "table_empty");
  EXPECT_EQ(group_by_hospital({}, example::mapping()).error().code, "bad_mapping");
}

TEST(Admission, refuses_a_bad_mapping_and_names_line_and_key) {
  struct Bad {
    std::string_view toml, key;
    int line;
  };
  for (const auto& [toml, key, line] : std::initializer_list<Bad>{
           {"nam = 1\n[[column]]\ncolumn='a'\ntarget='age'\n", "name", 1},
           {"name = 'x'\n", "column", 1},
           {"name = 'x'\nseparator=';;'\n[[column]]\ncolumn='a'\ntarget='age'\n", "separator", 2},
           {"name = 'x'\n[[column]]\ncolumn='a'\ntarget='agee'\n", "target", 4},
           {"name = "
            "'x'\n[[column]]\ncolumn='a'\ntarget='age'\n[[column]]\ncolumn='b'\ntarget='age'\n",
            "target", 7},
           {"name = 'x'\n[[column]]\ncolumn='a'\ntarget='sex'\nword={'1'='male'}\n", "word", 5},
           {"name = 'x'\nheader=false\n[[column]]\ncolumn='a'\ntarget='sex'\n", "column", 4},
           {"name = 'x'\nheader=false\n[[column]]\ncolumn='#0'\ntarget='sex'\n", "column", 4},
           {"name = 'x'\n[[column]]\ncolumn='a'\ntarget='age'\n[[hospital]]\nname='N'\nprefix='n "
            "n'\n",
            "prefix", 7},
           {"name = 'x'\n[[column]]\ncolumn='a'\ntarget='age'\n[[move]]\nidentifier='1'\nto='N'\n",
            "to", 7}}) {
    const auto mapping = parse_mapping(toml, "m.toml");
    ASSERT_FALSE(mapping) << toml;
    EXPECT_EQ(mapping.error().code, "bad_mapping") << toml;
    EXPECT_NE(mapping.error().sentence.find("'" + std::string(key) + "'"), std::string::npos)
        << mapping.error().message();
    if (line > 1) {
      EXPECT_EQ(mapping.error().place, "m.toml, line " + std::to_string(line)) << toml;
    }
  }
  EXPECT_FALSE(
      parse_mapping("name='x'\nheader=false\n[[column]]\ncolumn='#2'\ntarget='sex'\n", "m.toml"));
}

TEST(Admission, refuses_a_mapping_that_does_not_fit_the_schema) {
  const auto read = [](auto change) {
    auto mapping = example::mapping();
    change(mapping);
    return admit_table(with_header("a,63,1,mild,38.5,flu\n"), "cases.csv", mapping,
                       example::schema(), "E");
  };
  EXPECT_TRUE(read([](Mapping&) {}));
  const auto code = [&](auto change) { return read(change).error().code; };
  EXPECT_EQ(code([](Mapping& m) { m.columns[4].unit = "[degF]"; }), "bad_mapping");
  EXPECT_EQ(code([](Mapping& m) { m.columns[4].target = "exam:pulse"; }), "bad_mapping");
  EXPECT_EQ(code([](Mapping& m) { m.columns[2].words[0].second = "boy"; }), "bad_mapping");
  EXPECT_EQ(code([](Mapping& m) { m.columns[4].words = {{"high", "hot"}}; }), "bad_mapping");
}

TEST(Admission, checks_a_case_against_the_schema) {
  const auto schema = example::schema();
  const auto good = example::full_case("E-0001", "50", "38.5", "none");
  EXPECT_TRUE(check_case(good, schema));
  const auto code = [&](auto change) {
    auto c = good;
    change(c);
    const auto checked = check_case(c, schema);
    return checked ? std::string() : checked.error().code;
  };
  EXPECT_EQ(code([](Case& c) { c.sex = "m"; }), "unknown_code");
  EXPECT_EQ(code([](Case& c) { c.outcome.disease = "gout"; }), "unknown_code");
  EXPECT_EQ(code([](Case& c) { c.age_years.number = example::number("121"); }), "bad_number");
  EXPECT_EQ(code([](Case& c) { c.age_years.unit = "mo"; }), "bad_number");
  EXPECT_EQ(code([](Case& c) { c.id.value.clear(); }), "bad_case");
  EXPECT_EQ(code([](Case& c) {
              c.findings.emplace_back();
              c.findings.back().severity = "dreadful";
            }),
            "unknown_code");
}

auto many_cases(std::uint64_t seed, std::size_t count) -> std::vector<Case> {
  SeededRandom random(seed, "cases");
  const std::vector<std::string> diseases{"none", "influenza", "pneumonia", ""};
  std::vector<Case> out;
  for (std::size_t i = 0; i < count; ++i)
    out.push_back(
        example::full_case("E-" + std::to_string(i), "50", "37", diseases[random.below(4)]));
  return out;
}

auto held_ids(const std::vector<Case>& cases) -> std::vector<std::string> {
  std::vector<std::string> out;
  for (const auto& c : cases)
    if (c.status == Status::held_back) out.push_back(c.id.value);
  std::ranges::sort(out);
  return out;
}

TEST(HoldBack, takes_the_share_of_every_disease_whatever_the_order) {
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    SeededRandom random(seed, "order");
    auto cases = many_cases(seed, random.below(120));
    auto shuffled = cases;
    random.shuffle(std::span(shuffled));
    const int percent = static_cast<int>(random.below(101));
    hold_back(cases, percent * 10, seed);
    hold_back(shuffled, percent * 10, seed);
    EXPECT_EQ(held_ids(cases), held_ids(shuffled)) << "seed " << seed;
    std::map<std::string, std::pair<std::size_t, std::size_t>> strata;
    for (const auto& c : cases) {
      auto& [all, held] = strata[c.outcome.disease];
      ++all;
      held += c.status == Status::held_back ? 1 : 0;
    }
    for (const auto& [disease, counts] : strata) {
      const auto& [all, held] = counts;
      auto expected = (all * static_cast<std::size_t>(percent) + 50) / 100;
      if (expected == 0 && percent > 0 && all >= 3) expected = 1;
      EXPECT_EQ(held, expected) << "seed " << seed;
    }
    const auto once = held_ids(cases);
    hold_back(cases, percent * 10, seed);
    EXPECT_EQ(held_ids(cases), once) << "seed " << seed;
  }
}

TEST(HoldBack, another_seed_holds_others_back) {
  auto a = many_cases(1, 100);
  auto b = a;
  hold_back(a, 330, 1);
  hold_back(b, 330, 2);
  EXPECT_NE(held_ids(a), held_ids(b));
}

TEST(HoldBack, leaves_patients_in_care_alone) {
  auto cases = many_cases(3, 30);
  for (auto& c : cases) c.status = Status::recorded;
  hold_back(cases, 1000, 1);
  EXPECT_TRUE(held_ids(cases).empty());
}

TEST(Split, refuses_rows_left_out_or_named_twice) {
  const auto split =
      parse_split("name='s'\n[[centre]]\nhospital='A'\ntrain=[2, 0]\ntest=[1]\n", "s.toml");
  ASSERT_TRUE(split) << split.error().message();
  EXPECT_EQ(split->centres[0].train, (std::vector<std::size_t>{0, 2}));
  for (const std::string_view rows :
       {"train=[0]\ntest=[2]", "train=[0, 1]\ntest=[1]", "train=[0, -1]\ntest=[1]", "train=[0]",
        "train=[0]\ntest='1'"}) {
    const auto bad =
        parse_split("name='s'\n[[centre]]\nhospital='A'\n" + std::string(rows) + "\n", "s.toml");
    ASSERT_FALSE(bad) << rows;
    EXPECT_EQ(bad.error().code, "bad_split");
  }
}

}  // namespace
}  // namespace consilium::casebase
