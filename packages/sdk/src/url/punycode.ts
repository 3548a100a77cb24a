/** Punycode (RFC 3492) for the labels of an internationalised domain name; encoding only. */

const [base, tMin, tMax, skew, damp] = [36, 1, 26, 38, 700];
const digits = 'abcdefghijklmnopqrstuvwxyz0123456789';

/** The label in ASCII, with `xn--` in front if it was not. */
export const labelToAscii = (label: string): string => (/[^\0-\x7f]/.test(label) ? `xn--${encode(label)}` : label);

/** RFC 3492 section 6.3. */
const encode = (label: string): string => {
  const points = Array.from(label, (character) => character.codePointAt(0) ?? 0);
  const basic = points.filter((point) => point < 0x80);
  let output = String.fromCodePoint(...basic) + (basic.length > 0 ? '-' : '');
  let [next, delta, bias, handled] = [0x80, 0, 72, basic.length];
  while (handled < points.length) {
    const lowest = Math.min(...points.filter((point) => point >= next));
    delta += (lowest - next) * (handled + 1);
    next = lowest;
    for (const point of points) {
      if (point < next) delta += 1;
      if (point !== next) continue;
      output += variableLength(delta, bias);
      bias = adapt(delta, handled + 1, handled === basic.length);
      delta = 0;
      handled += 1;
    }
    delta += 1;
    next += 1;
  }
  return output;
};

const variableLength = (delta: number, bias: number): string => {
  let [rest, output] = [delta, ''];
  for (let k = base; ; k += base) {
    const threshold = Math.min(tMax, Math.max(tMin, k - bias));
    if (rest < threshold) return output + digits.charAt(rest);
    output += digits.charAt(threshold + ((rest - threshold) % (base - threshold)));
    rest = Math.floor((rest - threshold) / (base - threshold));
  }
};

/** RFC 3492 section 6.1. */
const adapt = (delta: number, points: number, isFirst: boolean): number => {
  let rest = isFirst ? Math.floor(delta / damp) : Math.floor(delta / 2);
  rest += Math.floor(rest / points);
  let k = 0;
  for (; rest > ((base - tMin) * tMax) / 2; k += base) rest = Math.floor(rest / (base - tMin));
  return k + Math.floor(((base - tMin + 1) * rest) / (rest + skew));
};
