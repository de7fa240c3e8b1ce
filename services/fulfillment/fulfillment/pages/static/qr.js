// QR codes by ISO/IEC 18004: bytes, error correction M, versions 1 to 20 (666 bytes at most).

const VERSION_MAX = 20;
const QUIET_ZONE = 4;
// Of level M, by version: error correction bytes per block, and blocks.
const CORRECTION = [0, 10, 16, 26, 18, 24, 16, 18, 22, 22, 26, 30, 22, 22, 24, 24, 28, 28, 26, 26, 26];
const BLOCKS = [0, 1, 1, 1, 2, 2, 4, 4, 4, 5, 5, 5, 8, 9, 9, 10, 10, 11, 13, 14, 16];

const MASKS = [
  (x, y) => (x + y) % 2,
  (x, y) => y % 2,
  (x) => x % 3,
  (x, y) => (x + y) % 3,
  (x, y) => (Math.floor(x / 3) + Math.floor(y / 2)) % 2,
  (x, y) => ((x * y) % 2) + ((x * y) % 3),
  (x, y) => (((x * y) % 2) + ((x * y) % 3)) % 2,
  (x, y) => (((x + y) % 2) + ((x * y) % 3)) % 2,
];

const POWERS = new Uint8Array(512);
const LOGS = new Uint8Array(256);
for (let exponent = 0, value = 1; exponent < 255; exponent += 1) {
  POWERS[exponent] = POWERS[exponent + 255] = value;
  LOGS[value] = exponent;
  value = value < 128 ? value << 1 : (value << 1) ^ 0x11d;
}

// Rows of 0 (light) and 1 (dark); null when the text is too long.
export function qrRows(text) {
  const bytes = new TextEncoder().encode(text);
  const version = smallestFor(bytes.length);
  if (version === null) return null;
  const stream = interleave(version, packed(version, bytes));
  const candidates = MASKS.map((_, mask) => drawn(version, stream, mask));
  return candidates.reduce((best, rows) => (penalty(rows) < penalty(best) ? rows : best));
}

// The same as a picture, dark on white with its quiet zone in any colour scheme.
export function qrPicture(text, label) {
  const rows = qrRows(text);
  if (rows === null) return null;
  const side = rows.length + 2 * QUIET_ZONE;
  const picture = svg("svg", { viewBox: `0 0 ${side} ${side}`, role: "img", "aria-label": label, class: "qr-picture" });
  let path = "";
  rows.forEach((row, y) => row.forEach((dark, x) => {
    if (dark) path += `M${x + QUIET_ZONE} ${y + QUIET_ZONE}h1v1h-1z`;
  }));
  picture.append(
    svg("rect", { width: side, height: side, fill: "#fff" }),
    svg("path", { d: path, fill: "#000", "shape-rendering": "crispEdges" }),
  );
  return picture;
}

// The page has drawings already: what they are, a new one is.
function svg(tag, attributes) {
  const made = document.createElementNS(document.querySelector("svg").namespaceURI, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  return made;
}

function sizeOf(version) {
  return 17 + 4 * version;
}

// How many bytes a version's data area holds, corrections included.
function areaOf(version) {
  let modules = sizeOf(version) ** 2 - 3 * 64 - 31 - 2 * (sizeOf(version) - 16);
  const marks = alignments(version).length;
  if (marks) modules -= 25 * (marks * marks - 3) - 10 * (marks - 2);
  if (version >= 7) modules -= 36;
  return Math.floor(modules / 8);
}

function roomOf(version) {
  return areaOf(version) - CORRECTION[version] * BLOCKS[version];
}

function countBits(version) {
  return version < 10 ? 8 : 16;
}

function smallestFor(length) {
  for (let version = 1; version <= VERSION_MAX; version += 1) {
    if (4 + countBits(version) + 8 * length <= 8 * roomOf(version)) return version;
  }
  return null;
}

function alignments(version) {
  if (version === 1) return [];
  const marks = Math.floor(version / 7) + 2;
  const last = sizeOf(version) - 7;
  const step = 2 * Math.ceil((last - 6) / (marks - 1) / 2);
  return Array.from({ length: marks }, (_, n) => (n === 0 ? 6 : last - (marks - 1 - n) * step));
}

// Mode, length, bytes, terminator, padding.
function packed(version, bytes) {
  const room = roomOf(version);
  const bits = [];
  const push = (value, count) => { for (let n = count - 1; n >= 0; n -= 1) bits.push((value >> n) & 1); };
  push(0b0100, 4);
  push(bytes.length, countBits(version));
  bytes.forEach((byte) => push(byte, 8));
  push(0, Math.min(4, 8 * room - bits.length));
  push(0, (8 - (bits.length % 8)) % 8);
  for (let pad = 0xec; bits.length < 8 * room; pad ^= 0xec ^ 0x11) push(pad, 8);
  return Uint8Array.from({ length: room }, (_, n) => bits.slice(8 * n, 8 * n + 8).reduce((sum, bit) => 2 * sum + bit, 0));
}

function interleave(version, data) {
  const blocks = BLOCKS[version];
  const short = Math.floor(data.length / blocks);
  const shorts = blocks - (data.length % blocks);
  const parts = [];
  for (let n = 0, at = 0; n < blocks; n += 1) {
    const length = short + (n < shorts ? 0 : 1);
    parts.push(data.subarray(at, at + length));
    at += length;
  }
  const corrections = parts.map((part) => correctionOf(part, CORRECTION[version]));
  return [...taken(parts, short + 1), ...taken(corrections, CORRECTION[version])];
}

function* taken(parts, length) {
  for (let n = 0; n < length; n += 1) for (const part of parts) if (n < part.length) yield part[n];
}

// Reed-Solomon over GF(256): the remainder of the data by the product of (x - 2^n).
function correctionOf(data, count) {
  let divisor = [1];
  for (let n = 0; n < count; n += 1) {
    divisor = [...divisor, 0].map((value, at) => value ^ (at ? times(divisor[at - 1], POWERS[n]) : 0));
  }
  const rest = new Uint8Array(data.length + count);
  rest.set(data);
  for (let at = 0; at < data.length; at += 1) {
    const factor = rest[at];
    divisor.forEach((value, n) => { rest[at + n] ^= times(value, factor); });
  }
  return rest.subarray(data.length);
}

function times(a, b) {
  return a && b ? POWERS[LOGS[a] + LOGS[b]] : 0;
}

function drawn(version, stream, mask) {
  const size = sizeOf(version);
  const rows = Array.from({ length: size }, () => new Array(size).fill(null));
  const put = (x, y, dark) => { if (rows[y]?.[x] !== undefined) rows[y][x] = dark ? 1 : 0; };
  drawMarks(version, size, put, rows);
  drawFormat(mask, size, put);
  if (version >= 7) drawVersion(version, size, put);
  drawData(rows, size, stream, MASKS[mask]);
  return rows;
}

function drawMarks(version, size, put, rows) {
  const square = (x, y, radius) => {
    for (let dx = -radius; dx <= radius; dx += 1) {
      for (let dy = -radius; dy <= radius; dy += 1) {
        const ring = Math.max(Math.abs(dx), Math.abs(dy));
        put(x + dx, y + dy, ring !== radius - (radius === 4 ? 2 : 1) && ring !== 4);
      }
    }
  };
  for (let n = 8; n < size - 8; n += 1) {
    put(n, 6, n % 2 === 0);
    put(6, n, n % 2 === 0);
  }
  for (const [x, y] of [[3, 3], [size - 4, 3], [3, size - 4]]) square(x, y, 4);
  for (const x of alignments(version)) {
    for (const y of alignments(version)) {
      const isCorner = [[6, 6], [6, size - 7], [size - 7, 6]].some(([cx, cy]) => x === cx && y === cy);
      if (!isCorner) square(x, y, 2);
    }
  }
  put(8, size - 8, true);
  return rows;
}

function drawFormat(mask, size, put) {
  let rest = mask;
  for (let n = 0; n < 10; n += 1) rest = (rest << 1) ^ ((rest >> 9) * 0x537);
  const bits = ((mask << 10) | rest) ^ 0x5412;
  for (let n = 0; n < 15; n += 1) {
    const bit = (bits >> n) & 1;
    const near = n < 6 ? n : n < 8 ? n + 1 : n === 8 ? 7 : 14 - n;
    if (n < 8) {
      put(8, near, bit);
      put(size - 1 - n, 8, bit);
    } else {
      put(near, 8, bit);
      put(8, size - 15 + n, bit);
    }
  }
}

function drawVersion(version, size, put) {
  let rest = version;
  for (let n = 0; n < 12; n += 1) rest = (rest << 1) ^ ((rest >> 11) * 0x1f25);
  const bits = (version << 12) | rest;
  for (let n = 0; n < 18; n += 1) {
    const far = size - 11 + (n % 3);
    const near = Math.floor(n / 3);
    put(far, near, (bits >> n) & 1);
    put(near, far, (bits >> n) & 1);
  }
}

// Two columns at a time from the right, up and down in turn, around what is drawn already.
function drawData(rows, size, stream, mask) {
  let at = 0;
  let isUp = true;
  for (let right = size - 1; right > 0; right -= 2) {
    if (right === 6) right = 5;
    for (let step = 0; step < size; step += 1) {
      const y = isUp ? size - 1 - step : step;
      for (const x of [right, right - 1]) {
        if (rows[y][x] !== null) continue;
        const bit = at < 8 * stream.length ? (stream[at >> 3] >> (7 - (at & 7))) & 1 : 0;
        rows[y][x] = bit ^ (mask(x, y) === 0 ? 1 : 0);
        at += 1;
      }
    }
    isUp = !isUp;
  }
}

// The standard's four rules: long runs, blocks, what looks like a corner, too much of one colour.
function penalty(rows) {
  const size = rows.length;
  const columns = rows.map((_, x) => rows.map((row) => row[x]));
  let sum = 0;
  for (const line of [...rows, ...columns]) {
    const text = line.join("");
    for (const run of text.match(/0{5,}|1{5,}/g) ?? []) sum += run.length - 2;
    for (const like of ["10111010000", "00001011101"]) {
      for (let at = text.indexOf(like); at >= 0; at = text.indexOf(like, at + 1)) sum += 40;
    }
  }
  for (let y = 1; y < size; y += 1) {
    for (let x = 1; x < size; x += 1) {
      const here = rows[y][x];
      if (here === rows[y - 1][x] && here === rows[y][x - 1] && here === rows[y - 1][x - 1]) sum += 3;
    }
  }
  const dark = rows.flat().reduce((count, it) => count + it, 0);
  return sum + 10 * Math.floor(Math.abs((dark * 100) / (size * size) - 50) / 5);
}
