// The whole-archive link of each room needs a main and nothing else.
auto main() -> int {
  return 0;
}
