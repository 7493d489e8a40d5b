// Lattigo's BGV beside the sealed sum: what peers/sealing/measure.py does in Python, in Go, and an oracle for sums.
//
//	peer measure                            one JSON object, as the Python peers print
//	peer sum SEED HOSPITALS LENGTH TOP      the decrypted sum of the hospitals' values, a number a line
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"math/big"
	"os"
	"runtime"
	"runtime/debug"
	"sort"
	"strconv"
	"time"

	"github.com/tuneinsight/lattigo/v6/core/rlwe"
	"github.com/tuneinsight/lattigo/v6/schemes/bgv"
)

const hospitals = 10
const ciphertexts = 32

type row struct {
	Setting       string  `json:"setting"`
	Bits          int     `json:"bits"`
	Mode          string  `json:"mode"`
	Ciphertexts   int     `json:"ciphertexts"`
	Exact         bool    `json:"exact"`
	Right         bool    `json:"right"`
	ErrorMax      float64 `json:"error_max"`
	BytesPerParam float64 `json:"bytes_per_param"`
	EncodeMs      float64 `json:"encode_ms"`
	EncryptMs     float64 `json:"encrypt_ms"`
	SerialiseMs   float64 `json:"serialise_ms"`
	Add10Ms       float64 `json:"add10_ms"`
	DecryptMs     float64 `json:"decrypt_ms"`
}

type refusal struct {
	Setting string `json:"setting"`
	Refused string `json:"refused"`
}

// valueOf is splitmix64 over (hospital, index), uniform in -top … top up to 2^-40, as in measure.py.
func valueOf(seed uint64, hospital, index int, top int64) int64 {
	z := seed + 0x9E3779B97F4A7C15*(uint64(hospital)<<40+uint64(index)+1)
	z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9
	z = (z ^ (z >> 27)) * 0x94D049BB133111EB
	z ^= z >> 31
	return int64(z%uint64(2*top+1)) - top
}

// primeForSlots is the largest prime below 2^bits that is 1 modulo 2·degree.
func primeForSlots(degree uint64, bits int) uint64 {
	candidate := (uint64(1)<<bits-1)/(2*degree)*(2*degree) + 1
	for candidate >= 1<<bits || !new(big.Int).SetUint64(candidate).ProbablyPrime(20) {
		candidate -= 2 * degree
	}
	return candidate
}

func median(of []float64) float64 {
	sort.Float64s(of)
	middle := len(of) / 2
	if len(of)%2 == 1 {
		return of[middle]
	}
	return (of[middle-1] + of[middle]) / 2
}

func timed(work func()) float64 {
	started := time.Now()
	work()
	return float64(time.Since(started).Nanoseconds()) / 1e6
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

type scheme struct {
	parameters bgv.Parameters
	encoder    *bgv.Encoder
	encryptor  *rlwe.Encryptor
	decryptor  *rlwe.Decryptor
	evaluator  *bgv.Evaluator
	batched    bool
}

func newScheme(logN, plainBits int, public, batched bool) (*scheme, error) {
	parameters, err := bgv.NewParametersFromLiteral(bgv.ParametersLiteral{
		LogN: logN, LogQ: []int{54}, PlaintextModulus: primeForSlots(1<<logN, plainBits)})
	if err != nil {
		return nil, err
	}
	generator := rlwe.NewKeyGenerator(parameters)
	secret := generator.GenSecretKeyNew()
	s := &scheme{parameters: parameters, encoder: bgv.NewEncoder(parameters),
		decryptor: rlwe.NewDecryptor(parameters, secret), evaluator: bgv.NewEvaluator(parameters, nil), batched: batched}
	if public {
		s.encryptor = rlwe.NewEncryptor(parameters, generator.GenPublicKeyNew(secret))
	} else {
		s.encryptor = rlwe.NewEncryptor(parameters, secret)
	}
	return s, nil
}

func (s *scheme) plaintexts(count int) []*rlwe.Plaintext {
	out := make([]*rlwe.Plaintext, count)
	for at := range out {
		out[at] = bgv.NewPlaintext(s.parameters, s.parameters.MaxLevel())
		out[at].IsBatched = s.batched
	}
	return out
}

// measure is one row. Buffers are allocated beforehand, and the garbage collector rests: both in Lattigo's favour.
func measure(setting string, bits, logN, plainBits int, public, batched bool) any {
	s, err := newScheme(logN, plainBits, public, batched)
	if err != nil {
		return refusal{setting, err.Error()}
	}
	degree := 1 << logN
	length := degree * ciphertexts
	top := int64(1)<<(bits-1) - 1
	perMillion := 1e6 / float64(length)
	want := make([]int64, length)
	sealed := make([][]*rlwe.Ciphertext, hospitals)
	var encode, encrypt []float64
	for hospital := range sealed {
		values := make([]int64, length)
		for at := range values {
			values[at] = valueOf(1, hospital+1, at, top)
			want[at] += values[at]
		}
		plain := s.plaintexts(ciphertexts)
		sealed[hospital] = make([]*rlwe.Ciphertext, ciphertexts)
		for at := range sealed[hospital] {
			sealed[hospital][at] = bgv.NewCiphertext(s.parameters, 1, s.parameters.MaxLevel())
			sealed[hospital][at].IsBatched = batched
		}
		encode = append(encode, timed(func() {
			for at := range plain {
				must(s.encoder.Encode(values[at*degree:(at+1)*degree], plain[at]))
			}
		}))
		encrypt = append(encrypt, timed(func() {
			for at := range plain {
				must(s.encryptor.Encrypt(plain[at], sealed[hospital][at]))
			}
		}))
	}
	size := 0
	serialise := timed(func() {
		for _, one := range sealed[0] {
			bytes, err := one.MarshalBinary()
			must(err)
			size += len(bytes)
		}
	})
	var add, decrypt []float64
	var sums []*rlwe.Ciphertext
	opened := make([]int64, length)
	for repetition := 0; repetition < 3; repetition++ {
		sums = nil
		for _, one := range sealed[0] {
			sums = append(sums, one.CopyNew())
		}
		add = append(add, timed(func() {
			for _, other := range sealed[1:] {
				for at := range sums {
					must(s.evaluator.Add(sums[at], other[at], sums[at]))
				}
			}
		}))
		plain := s.plaintexts(1)[0]
		decrypt = append(decrypt, timed(func() {
			for at := range sums {
				s.decryptor.Decrypt(sums[at], plain)
				must(s.encoder.Decode(plain, opened[at*degree:(at+1)*degree]))
			}
		}))
	}
	worst := int64(0)
	for at := range want {
		difference := want[at] - opened[at]
		worst = max(worst, difference, -difference)
	}
	mode := "secret"
	if public {
		mode = "public"
	}
	return row{Setting: setting, Bits: bits, Mode: mode, Ciphertexts: ciphertexts, Exact: worst == 0, Right: worst == 0,
		ErrorMax: float64(worst), BytesPerParam: float64(size) / float64(length), EncodeMs: median(encode) * perMillion,
		EncryptMs: median(encrypt) * perMillion, SerialiseMs: serialise * perMillion, Add10Ms: median(add) * perMillion,
		DecryptMs: median(decrypt) * perMillion}
}

func measureAll() []any {
	var rows []any
	for _, width := range []struct{ bits, plainBits int }{{16, 21}, {24, 29}} {
		for _, logN := range []int{11, 12} {
			for _, batched := range []bool{true, false} {
				for _, public := range []bool{true, false} {
					setting := fmt.Sprintf("BGV LogN %d LogQ 54 t %d bits, values in slots", logN, width.plainBits)
					if !batched {
						setting = fmt.Sprintf("BGV LogN %d LogQ 54 t %d bits, values in coefficients", logN, width.plainBits)
					}
					rows = append(rows, measure(setting, width.bits, logN, width.plainBits, public, batched))
				}
			}
		}
	}
	return rows
}

// printSum adds under encryption and prints what decrypts.
func printSum(seed uint64, hospitals, length int, top int64) {
	// The plaintext modulus holds any sum of `hospitals` values, sign included.
	plainBits := 14
	for int64(1)<<(plainBits-1) <= 2*int64(hospitals)*top {
		plainBits++
	}
	s, err := newScheme(12, plainBits, true, true)
	must(err)
	degree := s.parameters.MaxSlots()
	out := bufio.NewWriter(os.Stdout)
	defer out.Flush()
	plain := s.plaintexts(1)[0]
	for start := 0; start < length; start += degree {
		count := min(degree, length-start)
		var sum *rlwe.Ciphertext
		for hospital := 1; hospital <= hospitals; hospital++ {
			values := make([]int64, degree)
			for at := 0; at < count; at++ {
				values[at] = valueOf(seed, hospital, start+at, top)
			}
			must(s.encoder.Encode(values, plain))
			sealed, err := s.encryptor.EncryptNew(plain)
			must(err)
			if sum == nil {
				sum = sealed
			} else {
				must(s.evaluator.Add(sum, sealed, sum))
			}
		}
		opened := make([]int64, degree)
		must(s.encoder.Decode(s.decryptor.DecryptNew(sum), opened))
		for _, value := range opened[:count] {
			fmt.Fprintln(out, value)
		}
	}
}

func number(text string) int64 {
	value, err := strconv.ParseInt(text, 10, 64)
	must(err)
	return value
}

func main() {
	runtime.GOMAXPROCS(1)
	debug.SetGCPercent(400)
	if len(os.Args) == 6 && os.Args[1] == "sum" {
		printSum(uint64(number(os.Args[2])), int(number(os.Args[3])), int(number(os.Args[4])), number(os.Args[5]))
		return
	}
	must(json.NewEncoder(os.Stdout).Encode(map[string]any{"peer": "lattigo", "version": "6.1.1", "rows": measureAll()}))
}
