#pragma once
// What a person sees while the program works: one line per step, a moving bar on a terminal, plain
// lines elsewhere.

#include <cstddef>
#include <cstdio>
#include <string>
#include <string_view>

namespace consilium::app {

class Terminal {
 public:
  /// Writes to stdout, or to stderr when stdout carries JSON.
  explicit Terminal(bool json);
  void line(std::string_view text);
  void warning(std::string_view text);
  /// The step's state; on a terminal it is drawn in place, elsewhere a line is written when a step
  /// begins and ends.
  void progress(std::string_view step, std::size_t done, std::size_t all);
  /// The present step is done.
  void end_step();
  void finish_progress();

 private:
  void draw(std::size_t done, std::size_t all);

  std::FILE* out_;
  bool interactive_;
  std::string step_;
  std::size_t all_ = 0;
  bool open_ = false;
};

/// "error: …" on stderr, for every verb alike.
void print_error(std::string_view text);

}  // namespace consilium::app
