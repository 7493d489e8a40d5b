# A room is one static library with one front door (include/consilium/ROOM). Three guards come with it: private headers
# stay outside the include path, a whole-archive link shows a missing door, and tests/house checks the text of every include.
include(GoogleTest)

add_library(consilium_warnings INTERFACE)
target_compile_options(consilium_warnings INTERFACE
  -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wnon-virtual-dtor -Wold-style-cast
  # g++ 12 is the compiler of record. clang (tsan, fuzz) also warns about what libstdc++ 12 itself does, so it only warns.
  $<$<CXX_COMPILER_ID:GNU>:-Werror>
  -fstack-protector-strong -fcf-protection
  "-ffile-prefix-map=${CMAKE_SOURCE_DIR}=."
  # Floating point must give the same bytes on every machine with the same binary: no fused contraction.
  -ffp-contract=off
  # At -O3 g++ 12 sees copies and comparisons inside the standard library that cannot happen (its bugs 105651, 105329,
  # 107852); the debug and sanitizer builds keep these warnings.
  $<$<CONFIG:Release>:-Wno-restrict;-Wno-stringop-overread;-Wno-array-bounds;-Wno-stringop-overflow>
  $<$<CONFIG:Release>:-U_FORTIFY_SOURCE;-D_FORTIFY_SOURCE=2>)
target_compile_definitions(consilium_warnings INTERFACE _GLIBCXX_ASSERTIONS)

# consilium_room(NAME DOORS room... PRIVATE target...)
function(consilium_room name)
  cmake_parse_arguments(ROOM "" "" "DOORS;PRIVATE" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cpp)
  add_library(consilium_${name} STATIC ${sources})
  add_library(consilium::${name} ALIAS consilium_${name})
  target_include_directories(consilium_${name} PUBLIC ${CMAKE_CURRENT_SOURCE_DIR}/include
                                               PRIVATE ${CMAKE_CURRENT_SOURCE_DIR})
  set(doors ${ROOM_DOORS})
  list(TRANSFORM doors PREPEND consilium::)
  target_link_libraries(consilium_${name} PUBLIC ${doors} PRIVATE ${ROOM_PRIVATE} consilium_warnings)
  if(CONSILIUM_TESTS)
    # Linking the room whole, with only its declared doors, shows every symbol it takes from a room it never named.
    add_executable(link_${name} ${CMAKE_SOURCE_DIR}/tests/house/empty_main.cpp)
    target_link_libraries(link_${name} PRIVATE $<LINK_LIBRARY:WHOLE_ARCHIVE,consilium_${name}>)
    add_test(NAME link.${name} COMMAND link_${name})
    set_tests_properties(link.${name} PROPERTIES LABELS "house;room:${name}")
    file(GLOB test_sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/${name}/*.cpp)
    if(test_sources)
      consilium_test(${name} ROOM ${name} SOURCES ${test_sources} LINK consilium::${name} ${ROOM_PRIVATE})
      target_include_directories(test_${name} PRIVATE ${CMAKE_CURRENT_SOURCE_DIR})
    endif()
  endif()
endfunction()

# consilium_test(NAME ROOM room SOURCES file... LINK target...): one GoogleTest program, each of its tests known to ctest.
function(consilium_test name)
  cmake_parse_arguments(T "" "ROOM" "SOURCES;LINK" ${ARGN})
  add_executable(test_${name} ${T_SOURCES})
  target_link_libraries(test_${name} PRIVATE ${T_LINK} GTest::gtest GTest::gtest_main consilium_warnings)
  target_compile_definitions(test_${name} PRIVATE CONSILIUM_SOURCE_DIR="${CMAKE_SOURCE_DIR}")
  gtest_discover_tests(test_${name} DISCOVERY_MODE PRE_TEST PROPERTIES LABELS "unit;room:${T_ROOM}" TIMEOUT 300)
endfunction()
