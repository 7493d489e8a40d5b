#include "ml_kem.hpp"

#ifdef CONSILIUM_ML_KEM
#include <algorithm>

#include <ippcp.h>
#include <sodium.h>
#endif

namespace consilium::sealing::ml_kem {

auto is_public_key(BytesView key) -> bool {
  constexpr std::uint32_t modulus = 3329;
  constexpr std::size_t packed_size = 1152;  // three polynomials of 256 coefficients of 12 bits
  if (key.size() != public_key_size) return false;
  for (std::size_t at = 0; at < packed_size; at += 3) {
    const std::uint32_t three =
        key[at] | std::uint32_t{key[at + 1]} << 8U | std::uint32_t{key[at + 2]} << 16U;
    if ((three & 0xfffU) >= modulus || three >> 12U >= modulus) return false;
  }
  return true;
}

#ifdef CONSILIUM_ML_KEM

namespace {

/// The library asks for chance in a callback; here it is given what was derived beforehand.
struct GivenChance {
  BytesView bytes;
};
auto give(Ipp32u* out, int bits, void* given) -> IppStatus {
  auto& chance = *static_cast<GivenChance*>(given);
  const auto size = static_cast<std::size_t>(bits) / 8;
  CONSILIUM_ENSURE(bits % 8 == 0 && size <= chance.bytes.size());
  std::copy_n(chance.bytes.begin(), size, reinterpret_cast<std::uint8_t*>(out));
  chance.bytes = chance.bytes.subspan(size);
  return ippStsNoErr;
}

/// Locked and wiped memory for the library's own variables. Secret memory ends at a page's end, so
/// a multiple of 64 bytes also begins at one.
auto work_space(int size) -> SecretBytes {
  CONSILIUM_ENSURE(size > 0);
  return SecretBytes((static_cast<std::size_t>(size) + 63) / 64 * 64);
}

/// State and scratch of one operation; what the library leaves on the stack is overwritten at the
/// end.
class Operation {
 public:
  using SizeOf = IppStatus (*)(int*, const IppsMLKEMState*);
  explicit Operation(SizeOf scratch_size) : state_memory_(work_space(state_size())) {
    CONSILIUM_ENSURE(ippsMLKEM_Init(state(), IPPCP_ML_KEM_768) == ippStsNoErr);
    int size = 0;
    CONSILIUM_ENSURE(scratch_size(&size, state()) == ippStsNoErr);
    scratch_ = work_space(size);
  }
  Operation(const Operation&) = delete;
  auto operator=(const Operation&) -> Operation& = delete;
  ~Operation() { sodium_stackzero(stack_size); }
  auto state() -> IppsMLKEMState* {
    return reinterpret_cast<IppsMLKEMState*>(state_memory_.expose().data());
  }
  auto scratch() -> Ipp8u* { return scratch_.expose().data(); }

 private:
  static constexpr std::size_t stack_size = 64U << 10U;
  static auto state_size() -> int {
    // Chooses the code for this processor, once.
    static const IppStatus started = ippcpInit();
    CONSILIUM_ENSURE(started >= ippStsNoErr);
    int size = 0;
    CONSILIUM_ENSURE(ippsMLKEM_GetSize(&size, IPPCP_ML_KEM_768) == ippStsNoErr);
    return size;
  }
  SecretBytes state_memory_, scratch_;
};

}  // namespace

auto is_available() -> bool {
  return true;
}

void make_keys(BytesView seed, std::span<std::uint8_t> public_key,
               std::span<std::uint8_t> secret_key) {
  CONSILIUM_ENSURE(seed.size() == seed_size && public_key.size() == public_key_size &&
                   secret_key.size() == secret_key_size);
  Operation operation(ippsMLKEM_KeyGenBufferGetSize);
  GivenChance chance{seed};
  CONSILIUM_ENSURE(ippsMLKEM_KeyGen(public_key.data(), secret_key.data(), operation.state(),
                                    operation.scratch(), give, &chance) == ippStsNoErr);
}

void encapsulate(BytesView public_key, BytesView message, std::span<std::uint8_t> ciphertext,
                 std::span<std::uint8_t> shared) {
  CONSILIUM_ENSURE(is_public_key(public_key) && message.size() == message_size &&
                   ciphertext.size() == ciphertext_size && shared.size() == shared_size);
  Operation operation(ippsMLKEM_EncapsBufferGetSize);
  GivenChance chance{message};
  CONSILIUM_ENSURE(ippsMLKEM_Encaps(public_key.data(), ciphertext.data(), shared.data(),
                                    operation.state(), operation.scratch(), give,
                                    &chance) == ippStsNoErr);
}

void decapsulate(BytesView secret_key, BytesView ciphertext, std::span<std::uint8_t> shared) {
  CONSILIUM_ENSURE(secret_key.size() == secret_key_size && ciphertext.size() == ciphertext_size &&
                   shared.size() == shared_size);
  Operation operation(ippsMLKEM_DecapsBufferGetSize);
  CONSILIUM_ENSURE(ippsMLKEM_Decaps(secret_key.data(), ciphertext.data(), shared.data(),
                                    operation.state(), operation.scratch()) == ippStsNoErr);
}

#else

auto is_available() -> bool {
  return false;
}
void make_keys(BytesView, std::span<std::uint8_t>, std::span<std::uint8_t>) {
  CONSILIUM_ENSURE(is_available());
}
void encapsulate(BytesView, BytesView, std::span<std::uint8_t>, std::span<std::uint8_t>) {
  CONSILIUM_ENSURE(is_available());
}
void decapsulate(BytesView, BytesView, std::span<std::uint8_t>) {
  CONSILIUM_ENSURE(is_available());
}

#endif

}  // namespace consilium::sealing::ml_kem
