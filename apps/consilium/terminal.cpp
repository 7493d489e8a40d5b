#include "terminal.hpp"

#include <algorithm>

#include <unistd.h>

namespace consilium::app {

namespace {
constexpr std::size_t bar_cells = 28;
}

Terminal::Terminal(bool json)
    : out_(json ? stderr : stdout), interactive_(::isatty(::fileno(out_)) == 1) {}

void Terminal::line(std::string_view text) {
  finish_progress();
  std::fprintf(out_, "%.*s\n", static_cast<int>(text.size()), text.data());
  std::fflush(out_);
}

void Terminal::warning(std::string_view text) {
  line("  note: " + std::string(text));
}

void Terminal::progress(std::string_view step, std::size_t done, std::size_t all) {
  if (!interactive_) {
    if (step_ != step) {
      step_ = std::string(step);
      std::fprintf(out_, "%s …\n", step_.c_str());
    }
    std::fflush(out_);
    return;
  }
  if (open_ && step_ != step) {
    end_step();
  }
  step_ = std::string(step);
  open_ = true;
  all_ = all;
  draw(done, all);
}

void Terminal::draw(std::size_t done, std::size_t all) {
  const std::size_t filled = all == 0 ? 0 : std::min(done, all) * bar_cells / all;
  std::string bar;
  for (std::size_t i = 0; i < bar_cells; ++i) bar += i < filled ? "━" : "─";
  std::fprintf(out_, "\r\x1b[K%-28s %s %zu/%zu", step_.c_str(), bar.c_str(), done, all);
  std::fflush(out_);
}

void Terminal::end_step() {
  if (open_) draw(all_, all_);
  finish_progress();
}

void Terminal::finish_progress() {
  if (open_) std::fprintf(out_, "\n");
  open_ = false;
}

void print_error(std::string_view text) {
  std::fprintf(stderr, "error: %.*s\n", static_cast<int>(text.size()), text.data());
}

}  // namespace consilium::app
