/** The circumplex: how often the chosen face was where, its way over the last seconds, and where each face is now. */
import { byId, cleared, clock, element, faint, readable, rem, themed } from "./words.js";

const CELLS = 44;
const SHADES = 16;
const TRAILS = [5, 15, 60, Infinity];

export class Circumplex {
  constructor(session) {
    this.session = session;
    this.canvas = byId("circumplex");
    this.trail = byId("trail");
    this.trail.append(...TRAILS.map((seconds) =>
      element("option", { value: seconds }, seconds < Infinity ? `the last ${clock(seconds, 0)}` : "all so far")));
    this.trail.addEventListener("change", () => this.draw());
    session.on("frame theme", () => this.draw());
    session.on("people events selected", () => {
      this.density = null;
      this.draw();
    });
    new ResizeObserver(() => this.draw()).observe(this.canvas);
  }

  /** Seconds in each cell of a square over both dimensions, of the chosen face; excluded stretches do not count. */
  countCells() {
    const { session } = this;
    const { valence_smooth, arousal_smooth } = session.names;
    const cells = new Float64Array(CELLS * CELLS);
    const place = (value) => Math.max(0, Math.min(CELLS - 1, Math.floor(((value + 1) / 2) * CELLS)));
    session.selected?.rows.forEach((row, frame) => {
      if (row < 0 || session.excluded[frame] || Number.isNaN(valence_smooth[row])) return;
      cells[place(arousal_smooth[row]) * CELLS + place(valence_smooth[row])] += session.weights[frame];
    });
    const smoothed = new Float64Array(cells.length);
    for (let y = 0; y < CELLS; y++) {
      for (let x = 0; x < CELLS; x++) {
        const weight = cells[y * CELLS + x];
        if (!weight) continue;
        for (let dy = -1; dy <= 1; dy++) {
          for (let dx = -1; dx <= 1; dx++) {
            if (x + dx < 0 || x + dx >= CELLS || y + dy < 0 || y + dy >= CELLS) continue;
            smoothed[(y + dy) * CELLS + x + dx] += (weight * (dx ? 1 : 2) * (dy ? 1 : 2)) / 16;
          }
        }
      }
    }
    return smoothed;
  }

  draw() {
    const { session } = this;
    const { context, width, height } = cleared(this.canvas);
    const radius = Math.min(width, height) / 2 - rem(0.6);
    if (radius <= 0) return;
    const [centre, middle] = [width / 2, height / 2];
    const x = (value) => centre + value * radius;
    const y = (value) => middle - value * radius;
    this.density ??= this.countCells();
    const key = [width, height, devicePixelRatio, themed("heat"), themed("line")].join();
    if (this.background?.density !== this.density || this.background.key !== key) {
      this.background = { density: this.density, key, canvas: this.drawBackground(x, y, radius) };
    }
    context.drawImage(this.background.canvas, 0, 0, width, height);
    const others = session.shownPeople.filter((person) => person !== session.selected);
    for (const person of [...others, session.selected]) if (person && session.shown.has(person.id)) this.drawPerson(context, person, x, y, radius);
  }

  /** What stays while the session plays: the density, and the circle with its words. */
  drawBackground(x, y, radius) {
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [this.canvas.width, this.canvas.height];
    const context = canvas.getContext("2d");
    context.scale(devicePixelRatio, devicePixelRatio);
    const most = this.density.reduce((a, b) => Math.max(a, b), 0);
    const cell = (2 * radius) / CELLS;
    context.fillStyle = themed("heat");
    this.density.forEach((weight, place) => {
      if (!weight) return;
      context.globalAlpha = 0.04 + 0.52 * Math.sqrt(weight / most);
      context.fillRect(x(-1) + (place % CELLS) * cell, y(-1) - (Math.floor(place / CELLS) + 1) * cell, cell, cell);
    });
    context.globalAlpha = 1;
    this.drawFrame(context, x, y, radius);
    return canvas;
  }

  drawFrame(context, x, y, radius) {
    context.strokeStyle = themed("line");
    context.lineWidth = 1;
    context.beginPath();
    context.arc(x(0), y(0), radius, 0, 2 * Math.PI);
    context.moveTo(x(-1), y(0));
    context.lineTo(x(1), y(0));
    context.moveTo(x(0), y(-1));
    context.lineTo(x(0), y(1));
    context.stroke();
    context.font = `${rem(0.72)}px system-ui, sans-serif`;
    context.fillStyle = themed("faint");
    for (const [quadrant, words] of Object.entries(this.session.facts.quadrants)) {
      const [right, up] = [...quadrant].map((sign) => sign === "p");
      context.textAlign = right ? "right" : "left";
      context.textBaseline = up ? "top" : "bottom";
      words.split(", ").forEach((word, line) => {
        const lines = rem(0.9) * (up ? line : line - 1);
        context.fillText(word + (line ? "" : ","), x(right ? 1 : -1), y(up ? 1 : -1) + lines);
      });
    }
    context.textAlign = "right";
    context.textBaseline = "top";
    context.fillText("valence", x(1) - 5, y(0) + 5);
    context.textAlign = "left";
    context.textBaseline = "top";
    context.fillText("arousal", x(0) + 5, y(1) + 3);
  }

  /** A face's way up to now, fading towards the past and broken where it was away; its place now in its interval. */
  drawPerson(context, person, x, y, radius) {
    const { session } = this;
    const { valence_smooth: valence, arousal_smooth: arousal, valence_sd, arousal_sd } = session.names;
    const colour = readable(person.base, themed("panel"));
    const from = session.now - Number(this.trail.value);
    const first = from > session.start ? session.firstFrom(from) : 0;
    const points = Math.min(900, session.frame - first + 1);
    const reach = Math.max(session.gap, (2 * (session.now - session.times[first])) / points);
    context.lineCap = "round";
    context.lineWidth = 2;
    context.strokeStyle = colour;
    let before = null;
    for (let shade = 0; shade < SHADES; shade++) {
      context.globalAlpha = 0.15 + (0.75 * shade) / SHADES;
      context.beginPath();
      for (let point = Math.ceil((shade * points) / SHADES); point < ((shade + 1) * points) / SHADES; point++) {
        const frame = first + Math.round((point / Math.max(1, points - 1)) * (session.frame - first));
        const row = person.rows[frame];
        const next = row >= 0 && !Number.isNaN(valence[row]) ? [x(valence[row]), y(arousal[row]), session.times[frame]] : null;
        if (before && next && next[2] - before[2] <= reach) {
          context.moveTo(before[0], before[1]);
          context.lineTo(next[0], next[1]);
        }
        before = next;
      }
      context.stroke();
    }
    context.globalAlpha = 1;
    const row = person.rows[session.frame];
    if (row < 0 || Number.isNaN(valence[row])) return;
    if (session.band && valence_sd && valence_sd[row] >= 0) {
      context.fillStyle = faint(colour, 0.13);
      context.strokeStyle = faint(colour, 0.55);
      context.lineWidth = 1;
      context.beginPath();
      context.ellipse(x(valence[row]), y(arousal[row]), valence_sd[row] * radius, arousal_sd[row] * radius, 0, 0, 2 * Math.PI);
      context.fill();
      context.stroke();
    }
    context.beginPath();
    context.arc(x(valence[row]), y(arousal[row]), rem(0.42), 0, 2 * Math.PI);
    context.fillStyle = session.low[row] ? themed("panel") : colour;
    context.strokeStyle = session.low[row] ? colour : themed("ink");
    context.lineWidth = 1.5;
    context.fill();
    context.stroke();
  }
}
