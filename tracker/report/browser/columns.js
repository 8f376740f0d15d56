/**
 * Columns as tracker/report/packing.py packs them, unpacked.
 * @typedef {{name: string, kind: "fixed"|"words"|"float64", data: string, width?: number, decimals?: number,
 *            words?: string[], missing?: string}} Packed
 */

/** The values of a column of so many rows: numbers (NaN where missing), or text. @param {Packed} packed */
export async function unpackColumn(packed, rows) {
  const [bytes, missing] = await Promise.all([inflate(packed.data), packed.missing ? inflate(packed.missing) : null]);
  const values = packed.kind === "float64" ? fromPlanes(bytes, rows) : fromSteps(bytes, rows, packed.width);
  if (packed.kind === "words") return Array.from(values, (place) => packed.words[place]);
  const unit = 10 ** (packed.decimals ?? 0);
  for (let row = 0; row < rows; row++) {
    if (missing && (missing[row >> 3] >> (row & 7)) & 1) values[row] = NaN;
    else if (unit !== 1) values[row] /= unit;
  }
  return values;
}

/** Bytes of base64. */
export function bytesOf(text) {
  if (Uint8Array.fromBase64) return Uint8Array.fromBase64(text);
  const binary = atob(text);
  const bytes = new Uint8Array(binary.length);
  for (let i = 0; i < bytes.length; i++) bytes[i] = binary.charCodeAt(i);
  return bytes;
}

async function inflate(text) {
  const stream = new Blob([bytesOf(text)]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

/** Whole numbers of zigzag differences, lowest bytes first; sums in floating point are exact up to 2 ** 53. */
function fromSteps(bytes, rows, width) {
  const values = new Float64Array(rows);
  let value = 0;
  for (let row = 0; row < rows; row++) {
    let zigzag = 0;
    for (let plane = width - 1; plane >= 0; plane--) zigzag = zigzag * 256 + bytes[plane * rows + row];
    value += zigzag % 2 ? -(zigzag + 1) / 2 : zigzag / 2;
    values[row] = value;
  }
  return values;
}

function fromPlanes(bytes, rows) {
  const values = new Float64Array(rows);
  const raw = new Uint8Array(values.buffer);
  for (let plane = 0; plane < 8; plane++) for (let row = 0; row < rows; row++) raw[row * 8 + plane] = bytes[plane * rows + row];
  return values;
}
