# Every guest of the house, found on the system and nowhere else. docs/dependencies.md says why each is here.
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
find_package(OpenSSL 3.0 REQUIRED)
find_package(SQLite3 3.40 REQUIRED)
find_package(Eigen3 3.4 REQUIRED NO_MODULE)
find_package(tl-expected REQUIRED)
find_package(nlohmann_json 3.11 REQUIRED)
find_package(CLI11 2.1 REQUIRED)
find_package(tomlplusplus REQUIRED)
find_package(Boost 1.81 REQUIRED)
find_package(CURL 7.88 REQUIRED)
pkg_check_modules(gcrypt REQUIRED IMPORTED_TARGET libgcrypt>=1.10)
pkg_check_modules(sodium REQUIRED IMPORTED_TARGET libsodium>=1.0.18)
if(CONSILIUM_TESTS)
  find_package(GTest REQUIRED)
endif()
find_package(Python3 3.11 REQUIRED COMPONENTS Interpreter)

# ML-KEM-768 for hybrid boxes: Intel's Cryptography Primitives Library, a static library that ./dev setup takes out of a
# package pinned by hash. It is optional: without it everything builds, and hybrid boxes answer `suite_unavailable`.
set(ml_kem_folder ${CMAKE_SOURCE_DIR}/.cache/ml-kem)
if(EXISTS ${ml_kem_folder}/lib/libippcp.a AND EXISTS ${ml_kem_folder}/include/ippcp.h)
  add_library(ippcp::ippcp STATIC IMPORTED GLOBAL)
  set_target_properties(ippcp::ippcp PROPERTIES
    IMPORTED_LOCATION ${ml_kem_folder}/lib/libippcp.a
    INTERFACE_INCLUDE_DIRECTORIES ${ml_kem_folder}/include
    INTERFACE_COMPILE_DEFINITIONS "CONSILIUM_ML_KEM;IPPCP_PREVIEW_ML_KEM")
else()
  message(WARNING "ML-KEM is not here (./dev setup fetches it): this build closes classical boxes only.")
endif()
