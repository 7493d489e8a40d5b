"""Recomputes tests/vectors/privacy.json from the formulas of the sealing specification, section 10.

    python3 tests/vectors/make_privacy_vectors.py            compare the file with what this program computes
    python3 tests/vectors/make_privacy_vectors.py --write    write the file

Standard library only, no code shared with src/sealing: sums of the exact probabilities where the product draws, exact
fractions where it counts in 128 bits, and for the conversion a bisection over epsilon where it minimises over alpha.
"""
import json
import math
import pathlib
import sys
from fractions import Fraction

FILE = pathlib.Path(__file__).with_name("privacy.json")
NOTE = ("Made by tests/vectors/make_privacy_vectors.py (python3, standard library). gaussian.bins: the chance of "
        "low <= x < high, the first and last bin being open; sums: the same for six draws added up. "
        "log_ratio: largest |ln| of (six draws added up)/(one Gaussian of 6 sigma^2) within six deviations.")

# --- the exact law ------------------------------------------------------------------------------------------------


def law(variance):
    """P(x) of N_Z(0, variance) as {x: chance}, out to where chances are below 1e-40."""
    reach = int(14 * math.sqrt(variance)) + 2
    weights = {x: math.exp(-x * x / (2 * variance)) for x in range(-reach, reach + 1)}
    total = math.fsum(weights.values())
    return {x: w / total for x, w in weights.items()}


def added(a, b):
    out = {}
    for x, p in a.items():
        if p < 1e-30:
            continue
        for y, q in b.items():
            if q >= 1e-30:
                out[x + y] = out.get(x + y, 0.0) + p * q
    return out


def six(variance):
    one = law(variance)
    three = added(added(one, one), one)
    return added(three, three)


def bins(chances, deviation):
    """About thirty bins of whole numbers to four deviations; symmetric, each side of zero alike."""
    width = max(1, round(deviation / 4))
    last = max(1, round(4 * deviation / width))
    edges = [k * width - width // 2 for k in range(-last, last + 2)]
    out = []
    for low, high in zip([None] + edges, edges + [None]):
        chance = math.fsum(p for x, p in chances.items() if (low is None or x >= low) and (high is None or x < high))
        out.append({"low": low, "high": high, "chance": chance})
    return out


def kurtosis(chances):
    second = math.fsum(p * x * x for x, p in chances.items())
    fourth = math.fsum(p * x ** 4 for x, p in chances.items())
    return second, fourth


def gaussian_part():
    rows = []
    for n, d in ((1, 100), (1, 4), (1, 1), (7, 3), (16, 1), (1600, 1)):
        variance = n / d
        chances = law(variance)
        second, fourth = kurtosis(chances)
        rows.append({"numerator": n, "denominator": d, "zero": chances[0], "second": second, "fourth": fourth,
                     "bins": bins(chances, math.sqrt(second))})
    return rows


def sums_part():
    rows = []
    for sigma in (1, 2, 4):
        sums = six(sigma * sigma)
        one = law(6 * sigma * sigma)
        within = int(6 * sigma * math.sqrt(6))
        ratio = max(abs(math.log(sums[x] / one[x])) for x in range(-within, within + 1))
        gap = 10 * math.fsum(math.exp(-2 * math.pi ** 2 * sigma ** 2 * k / (k + 1)) for k in range(1, 6))
        rows.append({"sigma": sigma, "log_ratio": ratio, "tau": gap, "bins": bins(sums, sigma * math.sqrt(6))})
    return rows


def tails_part():
    """Chance that |x| leaves the headroom of nine deviations, the next whole number above it included."""
    rows = []
    for n, d in ((16, 1), (1600, 1), (50, 3)):
        chances = law(n / d)
        headroom = next(k for k in range(10 ** 6) if k * k * d >= 81 * n)
        one_side = math.fsum(p for x, p in chances.items() if x > headroom)
        rows.append({"numerator": n, "denominator": d, "headroom": headroom, "beyond": one_side})
    return rows


# --- the account --------------------------------------------------------------------------------------------------


def root_up(x):
    r = math.isqrt(x)
    return r if r * r == x else r + 1


def sensitivity(clip, length):
    """The whole number the product must not be below, from real numbers, and the one it must be, from whole ones."""
    beta_log = 50
    likely = clip ** 2 + length / 4 + math.sqrt(2 * beta_log) * (clip + math.sqrt(length) / 2)
    certain = (clip + math.sqrt(length)) ** 2
    root = root_up(length)
    whole = min(clip ** 2 - (-length // 4) + 10 * clip + 5 * root, (clip + root) ** 2)
    assert whole >= min(likely, certain) * (1 - 1e-15)
    return whole, min(likely, certain)


def account_part():
    rows = []
    for clip, length, honest, n, d in ((5000, 100_000, 3, 3418 ** 2, 1), (10, 1, 3, 16, 1), (1, 1, 1, 16, 1),
                                       (2000, 10_000_000, 3, 2_000_000, 3), (300, 2048, 8, 70_001, 7),
                                       (100, 100, 5, 250_000, 1), (2 ** 30, 2 ** 28, 1, 2 ** 40, 1),
                                       (1, 1, 1024, 2 ** 40, 1)):
        whole, real = sensitivity(clip, length)
        rho = Fraction(whole * d, 2 * honest * n) * 10 ** 6
        rows.append({"clip_l2": clip, "length": length, "honest_min": honest, "numerator": n, "denominator": d,
                     "square_max": whole, "square_real": real, "rho_micro": math.floor(rho) + 1,
                     "rho": float(rho) / 1e6})
    return rows


def log_delta_of(rho, epsilon):
    """ln of min over alpha of exp((a-1)(a rho - eps))/(a-1) * (1-1/a)^a, by golden section over ln(a-1)."""
    def at(u):
        a1 = math.exp(u)
        alpha = 1 + a1
        return a1 * (alpha * rho - epsilon) - math.log(a1) + alpha * math.log(a1 / alpha)
    low, high = -30.0, 30.0
    best = min((low + 0.01 * k for k in range(6001)), key=at)
    low, high = best - 0.02, best + 0.02
    g = (math.sqrt(5) - 1) / 2
    for _ in range(80):
        a, b = high - g * (high - low), low + g * (high - low)
        if at(a) < at(b):
            high = b
        else:
            low = a
    return at((low + high) / 2)


def epsilon(rho, delta):
    low, high = 0.0, 1.0
    while log_delta_of(rho, high) > math.log(delta):
        high *= 2
    for _ in range(45):
        middle = (low + high) / 2
        if log_delta_of(rho, middle) > math.log(delta):
            low = middle
        else:
            high = middle
    return high


SPECIFICATION = {0.05: ("1.31", "1.47"), 0.1: ("1.91", "2.14"), 0.25: ("3.19", "3.54"), 0.5: ("4.73", "5.22"),
                 1: ("7.08", "7.77"), 2: ("10.7", "11.7")}


def conversion_part():
    rows = []
    for rho in (0.001, 0.05, 0.1, 0.25, 0.5, 1, 2, 25):
        row = {"rho": rho, "epsilon_5": epsilon(rho, 1e-5), "epsilon_6": epsilon(rho, 1e-6)}
        if rho in SPECIFICATION:
            for printed, computed in zip(SPECIFICATION[rho], (row["epsilon_5"], row["epsilon_6"])):
                digits = len(printed.split(".")[1])
                assert abs(computed - float(printed)) <= 0.5 * 10 ** -digits, (rho, printed, computed)
            row["printed_5"], row["printed_6"] = SPECIFICATION[rho]
        rows.append(row)
    return rows


def rounded(value):
    """Twelve digits: libm differs in the last ones from machine to machine."""
    if isinstance(value, float):
        return float(f"{value:.12g}")
    if isinstance(value, dict):
        return {key: rounded(item) for key, item in value.items()}
    if isinstance(value, list):
        return [rounded(item) for item in value]
    return value


def near(a, b):
    if isinstance(a, float) or isinstance(b, float):
        return math.isclose(a, b, rel_tol=1e-9, abs_tol=1e-16)
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(near(a[key], b[key]) for key in a)
    if isinstance(a, list):
        return len(a) == len(b) and all(near(x, y) for x, y in zip(a, b))
    return a == b


def main():
    made = rounded({"note": NOTE, "gaussian": gaussian_part(), "sums": sums_part(), "tails": tails_part(),
                    "account": account_part(), "conversion": conversion_part()})
    if "--write" in sys.argv[1:]:
        FILE.write_text(json.dumps(made, indent=1) + "\n", encoding="utf-8")
        return 0
    if not near(made, json.loads(FILE.read_text(encoding="utf-8"))):
        print("tests/vectors/privacy.json differs from what the formulas give", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
