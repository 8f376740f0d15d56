/** Figures of each face over the whole session; each frame weighs by how long it is shown. */
import { byId, clock, element, percent, readable, signed, number, themed } from "./words.js";

export class Figures {
  constructor(session) {
    this.session = session;
    this.good = byId("good-only");
    this.good.addEventListener("change", () => this.build());
    session.on("people events theme", () => this.build());
    this.build();
  }

  build() {
    const { session } = this;
    const quadrants = Object.entries(session.facts.quadrants);
    const heads = ["Face", "Seen", "Lost", "Low quality", "Valence", "Arousal", ...quadrants.map(([, words]) => words)];
    if (session.expressions.length) heads.push("Most likely");
    byId("figure-heads").replaceChildren(...heads.map((head) => element("th", { scope: "col" }, head)));
    byId("figures").replaceChildren(...session.people.map((person) => {
      const told = figuresOf(session, person, this.good.checked);
      const dot = element("i", { class: "dot" });
      dot.style.background = readable(person.base, themed("panel"));
      const cells = [clock(told.seen), percent(told.lost), percent(told.low), `${signed(told.valence)} ± ${number(told.valenceSpread)}`,
        `${signed(told.arousal)} ± ${number(told.arousalSpread)}`, ...quadrants.map(([name]) => percent(told.quadrants[name]))];
      if (session.expressions.length) cells.push(told.expression ? `${told.expression} ${number(told.probability)}` : "–");
      return element("tr", {}, element("th", { scope: "row" }, dot, person.name), ...cells.map((cell) => element("td", {}, cell)));
    }));
  }
}

/**
 * What is said of a face: seconds seen; shares of the session lost and of what was seen in low quality; mean and standard
 * deviation of smoothed valence and arousal; shares of the quadrants; the expression of the greatest mean probability.
 */
export function figuresOf(session, person, goodOnly) {
  const { names, weights, excluded, low, expressions } = session;
  const { valence_smooth: valence, arousal_smooth: arousal } = names;
  const columns = expressions.map((name) => names[`p_${name}`]);
  let [whole, seen, bad, weight] = [0, 0, 0, 0];
  const sums = { v: 0, vv: 0, a: 0, aa: 0 };
  const quadrants = { pp: 0, np: 0, nn: 0, pn: 0 };
  const likely = columns.map(() => 0);
  person.rows.forEach((row, frame) => {
    if (excluded[frame]) return;
    const w = weights[frame];
    whole += w;
    if (row < 0) return;
    seen += w;
    if (low[row]) bad += w;
    if ((goodOnly && low[row]) || Number.isNaN(valence[row])) return;
    weight += w;
    sums.v += w * valence[row];
    sums.vv += w * valence[row] ** 2;
    sums.a += w * arousal[row];
    sums.aa += w * arousal[row] ** 2;
    quadrants[(valence[row] >= 0 ? "p" : "n") + (arousal[row] >= 0 ? "p" : "n")] += w;
    columns.forEach((column, place) => (likely[place] += w * column[row]));
  });
  const spread = (sum, squares) => Math.sqrt(Math.max(0, squares / weight - (sum / weight) ** 2));
  const best = likely.indexOf(Math.max(...likely));
  return {
    seen,
    lost: 1 - seen / whole,
    low: bad / seen,
    valence: sums.v / weight,
    arousal: sums.a / weight,
    valenceSpread: spread(sums.v, sums.vv),
    arousalSpread: spread(sums.a, sums.aa),
    quadrants: Object.fromEntries(Object.entries(quadrants).map(([name, sum]) => [name, sum / weight])),
    expression: weight > 0 ? expressions[best] : null,
    probability: likely[best] / weight,
  };
}
