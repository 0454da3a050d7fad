/**
 * Whether an RSA public key is strong enough: 2,048 to 8,192 bits, an odd exponent of at least 65,537 that fits 32 bits, and
 * not of the ROCA family (CVE-2017-15361), whose private keys can be computed from the public ones.
 *
 * jose refuses short keys too, but accepts an exponent of 1, with which anybody can forge signatures. Accepted: a key may
 * still be weak in ways that no cheap check finds.
 */
const MIN_BITS = 2048;
const MAX_BITS = 8192;
const MIN_EXPONENT = 65_537;

/** Whether a key of this modulus and exponent, both big-endian, may verify anything. */
export function isStrongRsa(modulus: Uint8Array, exponent: Uint8Array): boolean {
  const first = modulus[0];
  if (first === undefined || first === 0) return false;
  const bits = modulus.length * 8 - (Math.clz32(first) - 24);
  if (bits < MIN_BITS || bits > MAX_BITS) return false;

  if (exponent.length === 0 || exponent.length > 4) return false;
  const e = exponent.reduce((value, byte) => value * 256 + byte, 0);
  return e >= MIN_EXPONENT && e % 2 === 1 && !isRoca(modulus);
}

/** The primes of the published ROCA test. */
const PRIMES = [3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89, 97];
const MORE_PRIMES = [101, 103, 107, 109, 113, 127, 131, 137, 139, 149, 151, 157, 163, 167];

/** A ROCA modulus is a power of 65,537 modulo every one of these primes; fewer than one in 2^27 other moduli are. */
function isRoca(modulus: Uint8Array): boolean {
  return [...PRIMES, ...MORE_PRIMES].every((prime) => {
    const rest = modulus.reduce((value, byte) => (value * 256 + byte) % prime, 0);
    let power = 1;
    do {
      if (power === rest) return true;
      power = (power * 65_537) % prime;
    } while (power !== 1);
    return false;
  });
}
