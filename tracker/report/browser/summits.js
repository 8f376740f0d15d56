/**
 * Least and greatest values of ever longer stretches of frames, so that a trace of hours is drawn as fast as one of
 * seconds; and running sums, by which a mean over any stretch is one difference.
 */

/** Level k holds the least and greatest of each 2 ** k frames, NaN where a stretch has no value. */
export class Summits {
  /** @param {Float32Array} values one a frame, NaN where there is none */
  constructor(values) {
    this.levels = [{ low: values, high: values }];
    while (this.levels.at(-1).low.length > 1) {
      const { low, high } = this.levels.at(-1);
      const length = (low.length + 1) >> 1;
      const next = { low: new Float32Array(length), high: new Float32Array(length) };
      for (let i = 0; i < length; i++) {
        const [a, b] = [2 * i, Math.min(2 * i + 1, low.length - 1)];
        next.low[i] = low[b] < low[a] || Number.isNaN(low[a]) ? low[b] : low[a];
        next.high[i] = high[b] > high[a] || Number.isNaN(high[a]) ? high[b] : high[a];
      }
      this.levels.push(next);
    }
  }
}

/** One value a frame of a face, by its rows; NaN where it is not seen. */
export function byFrame(rows, value) {
  const values = new Float32Array(rows.length);
  for (let frame = 0; frame < rows.length; frame++) values[frame] = rows[frame] < 0 ? NaN : value(rows[frame]);
  return values;
}

/** Sums of the first 0, 1, 2, ... values. */
export function sums(length, value) {
  const running = new Float64Array(length + 1);
  for (let i = 0; i < length; i++) running[i + 1] = running[i] + (value(i) || 0);
  return running;
}
