/**
 * Valence and arousal over time. Only what can be seen is drawn: of each stretch of frames that falls on few pixels, the
 * least and the greatest value, so that no peak is lost.
 */
import { EXCLUDED } from "./session.js";
import { byId, cleared, clock, element, faint, hatched, notice, number, readable, rem, signed, themed } from "./words.js";

const DIMENSIONS = [
  { name: "valence", ends: ["pleasant", "unpleasant"] },
  { name: "arousal", ends: ["active", "calm"] },
];
const FEW_FRAMES = 60;
const LINES = 4; // of each face: before smoothing, smoothed, and the two edges of the band

export class Timeline {
  constructor(session, player) {
    this.session = session;
    this.player = player;
    this.boxes = DIMENSIONS.map(({ name }) => byId(`${name}-chart`));
    this.overview = byId("overview");
    this.playhead = byId("playhead");
    this.build();
    session.on("people theme", () => this.build());
    session.on("view", () => this.redraw());
    session.on("events", () => this.redraw());
    session.on("frame", () => this.movePlayhead());
    new ResizeObserver(() => this.resize()).observe(byId("charts"));
    this.listenToOverview();
  }

  /** Left edge and width of what is drawn, in CSS pixels from the left of the charts. */
  get plot() {
    const { left, width } = this.charts[0].bbox;
    return { left: left / devicePixelRatio, width: width / devicePixelRatio };
  }

  build() {
    for (const chart of this.charts ?? []) chart.destroy();
    this.charts = DIMENSIONS.map((dimension, place) => this.chart(dimension, this.boxes[place], place));
    for (const chart of this.charts) this.listen(chart);
    this.redraw();
  }

  chart({ name, ends }, box, place) {
    const { session } = this;
    const background = themed("panel");
    const font = `${rem(0.75)}px system-ui, sans-serif`;
    const series = [{}];
    const bands = [];
    for (const person of session.shownPeople) {
      const colour = readable(person.base, background);
      const points = { show: () => this.framesInView() <= FEW_FRAMES, size: 5, fill: colour, stroke: colour };
      bands.push({ series: [series.length + 3, series.length + 2], fill: faint(colour, 0.17) });
      series.push(
        { stroke: faint(colour, 0.6), width: 1, points: { show: false } },
        { stroke: colour, width: 2, dash: person.dash, points },
        { stroke: "transparent", points: { show: false } },
        { stroke: "transparent", points: { show: false } },
      );
    }
    const axis = { stroke: themed("faint"), font, grid: { stroke: themed("grid"), width: 1 }, ticks: { show: false } };
    const last = place === DIMENSIONS.length - 1;
    const options = {
      width: Math.max(200, box.clientWidth),
      height: Math.max(120, box.clientHeight),
      padding: [8, 14, last ? 0 : 8, 0],
      legend: { show: false },
      cursor: { drag: { x: false, y: false }, y: false, points: { show: false }, sync: { key: "time" } },
      scales: { x: { time: false, range: () => [session.view.from, session.view.to] }, y: { range: () => [-1.05, 1.05] } },
      axes: [
        { ...axis, size: last ? rem(1.7) : 0, space: rem(5), values: (_, ticks) => (last ? this.timeLabels(ticks) : ticks.map(() => "")) },
        { ...axis, size: rem(3.2), splits: () => [-1, -0.5, 0, 0.5, 1], values: (_, ticks) => ticks.map((tick) => number(tick, 1)) },
      ],
      series,
      bands,
      hooks: {
        drawClear: [(chart) => this.shade(chart)],
        draw: [(chart) => this.annotate(chart, ends)],
        setCursor: [(chart) => place === 0 && this.tellCursor(chart)],
      },
    };
    return new uPlot(options, [[]], box);
  }

  timeLabels(ticks) {
    const step = ticks.length > 1 ? ticks[1] - ticks[0] : 1;
    const decimals = step >= 1 ? 0 : step >= 0.1 ? 1 : step >= 0.01 ? 2 : 3;
    return ticks.map((tick) => clock(tick, decimals));
  }

  framesInView() {
    const { from, to } = this.session.view;
    return this.session.firstFrom(to) - this.session.firstFrom(from);
  }

  redraw() {
    if (this.waiting) return;
    this.waiting = requestAnimationFrame(() => {
      this.waiting = null;
      const { from, to } = this.session.view;
      const stretches = this.stretches(from, to);
      this.charts.forEach((chart, place) => {
        const data = this.data(stretches, DIMENSIONS[place].name);
        chart.batch(() => {
          chart.setData(data, false);
          chart.setScale("x", { min: from, max: to });
        });
        chart.redraw(false, true);
      });
      this.movePlayhead();
      this.drawOverview();
      this.session.tell("drawn");
    });
  }

  /** The frames in view as stretches [first, last] that share a place; null where the session itself has a gap. */
  stretches(from, to) {
    const { times, gap } = this.session;
    const first = Math.max(0, this.session.firstFrom(from) - 1);
    const last = Math.min(times.length - 1, this.session.firstFrom(to));
    const length = Math.max(1, Math.floor((last - first + 1) / Math.max(100, this.plot.width)));
    const stretches = [];
    for (let begin = first; begin <= last; ) {
      let end = begin;
      while (end < last && end - begin + 1 < length && times[end + 1] - times[end] <= gap) end++;
      stretches.push([begin, end]);
      if (end < last && times[end + 1] - times[end] > gap) stretches.push(null);
      begin = end + 1;
    }
    return stretches;
  }

  data(stretches, dimension) {
    const { session } = this;
    const people = session.shownPeople;
    const values = session.names[dimension];
    const smooth = session.names[`${dimension}_smooth`];
    const deviation = session.band ? session.names[`${dimension}_sd`] : null;
    const columns = Array.from({ length: 1 + LINES * people.length }, () => []);
    const time = columns[0];
    for (const [place, stretch] of stretches.entries()) {
      if (!stretch) {
        time.push((session.times[stretches[place - 1][1]] + session.times[stretches[place + 1][0]]) / 2);
        for (let c = 1; c < columns.length; c++) columns[c].push(null);
        continue;
      }
      const [begin, end] = stretch;
      const twice = end > begin;
      time.push(session.times[begin]);
      if (twice) time.push(session.times[end]);
      people.forEach(({ rows }, number) => {
        const at = 1 + LINES * number;
        extremes(columns[at], session.raw ? values : null, rows, begin, end, twice);
        extremes(columns[at + 1], smooth, rows, begin, end, twice);
        let [low, high] = [Infinity, -Infinity];
        if (deviation) {
          for (let frame = begin; frame <= end; frame++) {
            const row = rows[frame];
            if (row < 0 || !(deviation[row] >= 0)) continue;
            low = Math.min(low, smooth[row] - deviation[row]);
            high = Math.max(high, smooth[row] + deviation[row]);
          }
        }
        for (let again = 0; again <= Number(twice); again++) {
          columns[at + 2].push(low < Infinity ? low : null);
          columns[at + 3].push(low < Infinity ? high : null);
        }
      });
    }
    return columns;
  }

  /** Behind the lines: what is left out, and where the chosen face was seen badly. */
  shade(chart) {
    const { session } = this;
    const { ctx, bbox } = chart;
    const fill = (from, to, style) => {
      const left = Math.max(bbox.left, chart.valToPos(from, "x", true));
      const right = Math.min(bbox.left + bbox.width, chart.valToPos(to, "x", true));
      if (right <= left) return;
      ctx.fillStyle = style;
      ctx.fillRect(left, bbox.top, Math.max(1, right - left), bbox.height);
    };
    ctx.save();
    if (session.selected) {
      const hatching = hatched(ctx, themed("low"), devicePixelRatio);
      const { rows } = session.selected;
      const first = Math.max(0, session.firstFrom(session.view.from) - 1);
      const last = Math.min(rows.length - 1, session.firstFrom(session.view.to));
      for (let frame = first, begin = -1; frame <= last + 1; frame++) {
        const low = frame <= last && rows[frame] >= 0 && session.low[rows[frame]];
        if (low && begin < 0) begin = frame;
        if (low || begin < 0) continue;
        fill(session.times[begin], session.times[frame - 1] + session.weights[frame - 1], hatching);
        begin = -1;
      }
    }
    for (const event of [...session.edits.events, ...(this.pending ? [this.pending] : [])]) {
      if (event.end > event.time) fill(event.time, event.end, event.name === EXCLUDED ? themed("excluded") : themed("stretch"));
    }
    const zero = Math.round(chart.valToPos(0, "y", true));
    ctx.fillStyle = themed("line");
    ctx.fillRect(bbox.left, zero, bbox.width, devicePixelRatio);
    ctx.restore();
  }

  /** Over the lines: the ends in words, and the events. */
  annotate(chart, [upper, lower]) {
    const { ctx, bbox } = chart;
    ctx.save();
    ctx.font = `${rem(0.72) * devicePixelRatio}px system-ui, sans-serif`;
    ctx.fillStyle = themed("faint");
    ctx.textAlign = "right";
    ctx.textBaseline = "top";
    ctx.fillText(upper, bbox.left + bbox.width - 6, bbox.top + 3);
    ctx.textBaseline = "bottom";
    ctx.fillText(lower, bbox.left + bbox.width - 6, bbox.top + bbox.height - 3);
    ctx.strokeStyle = themed("ink");
    ctx.lineWidth = devicePixelRatio;
    ctx.setLineDash([3 * devicePixelRatio, 3 * devicePixelRatio]);
    for (const { time, name } of this.session.edits.events) {
      if (name === EXCLUDED || time < this.session.view.from || time > this.session.view.to) continue;
      const x = chart.valToPos(time, "x", true);
      ctx.beginPath();
      ctx.moveTo(x, bbox.top);
      ctx.lineTo(x, bbox.top + bbox.height);
      ctx.stroke();
    }
    ctx.restore();
  }

  movePlayhead() {
    const { from, to } = this.session.view;
    const { left, width } = this.plot;
    const x = left + ((this.session.now - from) / (to - from)) * width;
    this.playhead.hidden = x < left - 1 || x > left + width + 1;
    this.playhead.style.transform = `translateX(${x}px)`;
    this.drawOverview();
  }

  tellCursor(chart) {
    const place = byId("cursor");
    const { left } = chart.cursor;
    if (!(left >= 0)) {
      place.replaceChildren();
      return;
    }
    const frame = this.session.frameAt(chart.posToVal(left, "x"));
    const { valence_smooth, arousal_smooth, valence_sd, arousal_sd } = this.session.names;
    const spread = (column, row) => (column && column[row] >= 0 ? ` ± ${number(column[row])}` : "");
    const told = this.session.shownPeople.map((person) => {
      const row = person.rows[frame];
      const text = row < 0
        ? "not seen"
        : `V ${signed(valence_smooth[row])}${spread(valence_sd, row)}   A ${signed(arousal_smooth[row])}${spread(arousal_sd, row)}` +
          (this.session.low[row] ? "   low quality" : "");
      const dot = element("i", { class: "dot" });
      dot.style.background = readable(person.base, themed("panel"));
      return element("span", {}, dot, `${person.name}  ${text}`);
    });
    place.replaceChildren(element("b", {}, clock(this.session.times[frame], 3)), ...told);
  }

  listen(chart) {
    const { session, player } = this;
    const timeAt = (event) => {
      const box = chart.over.getBoundingClientRect();
      return chart.posToVal(Math.max(0, Math.min(box.width, event.clientX - box.left)), "x");
    };
    let dragged = null;
    chart.over.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      dragged = event.shiftKey ? "exclude" : "seek";
      chart.over.setPointerCapture(event.pointerId);
      if (dragged === "exclude") this.anchor = timeAt(event);
      else player.seek(timeAt(event));
      event.preventDefault();
    });
    chart.over.addEventListener("pointermove", (event) => {
      if (dragged === "seek") player.seek(timeAt(event));
      if (dragged !== "exclude") return;
      const ends = [this.anchor, timeAt(event)].sort((a, b) => a - b);
      this.pending = { time: ends[0], end: ends[1], name: EXCLUDED };
      this.redraw();
    });
    const drop = () => {
      if (dragged === "exclude" && this.pending) this.exclude(this.pending.time, this.pending.end);
      this.pending = dragged = null;
    };
    chart.over.addEventListener("pointerup", drop);
    chart.over.addEventListener("pointercancel", drop);
    chart.over.addEventListener("dblclick", () => session.look(session.start, session.end - session.start));
    chart.over.addEventListener("wheel", (event) => {
      const { from, to } = session.view;
      const across = event.shiftKey ? event.deltaX || event.deltaY : event.deltaX;
      if (event.ctrlKey || event.metaKey) session.zoom(Math.exp(event.deltaY * 0.003), timeAt(event));
      else if (Math.abs(across) > Math.abs(event.shiftKey ? 0 : event.deltaY)) session.look(from + (across / this.plot.width) * (to - from), to - from);
      else return;
      event.preventDefault();
    }, { passive: false });
  }

  /** Leave a stretch out of the figures: from the frame shown at one time to the end of that shown at the other. */
  exclude(from, to) {
    const { session } = this;
    const last = session.frameAt(to);
    const event = { time: session.times[session.frameAt(from)], end: session.times[last] + session.weights[last], name: EXCLUDED };
    event.end = Math.round(event.end * 1e6) / 1e6;
    session.changeEvents([...session.edits.events, event]);
    notice(`Left out of the figures: ${clock(event.time, 2)} to ${clock(event.end, 2)}.`);
  }

  resize() {
    this.charts.forEach((chart, place) => {
      const { clientWidth: width, clientHeight: height } = this.boxes[place];
      if (width > 0 && (width !== chart.width || height !== chart.height)) chart.setSize({ width, height });
    });
    this.background = null;
    this.redraw();
  }

  /** The whole session in little, with the stretch that is looked at. */
  drawOverview() {
    const { session } = this;
    const { context, width, height } = cleared(this.overview);
    const { left, width: across } = this.plot;
    const x = (time) => left + ((time - session.start) / (session.end - session.start)) * across;
    const key = JSON.stringify([width, height, themed("panel"), session.shownPeople.map((person) => person.ids)]);
    if (this.background?.key !== key) this.background = { key, lines: this.overviewLines(height) };
    for (const { colour, pixels } of this.background.lines) {
      context.fillStyle = colour;
      pixels.forEach(([low, high], pixel) => high >= low && context.fillRect(left + pixel, low, 1, Math.max(1.2, high - low)));
    }
    context.fillStyle = themed("excluded");
    for (const { time, end, name } of session.edits.events) if (name === EXCLUDED) context.fillRect(x(time), 0, x(end) - x(time), height);
    const [begin, end] = [x(session.view.from), x(session.view.to)];
    context.fillStyle = themed("veil");
    context.fillRect(left, 0, begin - left, height);
    context.fillRect(end, 0, left + across - end, height);
    context.strokeStyle = themed("accent");
    context.lineWidth = 1.5;
    context.strokeRect(begin + 0.75, 0.75, Math.max(3, end - begin - 1.5), height - 1.5);
    context.fillStyle = themed("ink");
    context.fillRect(x(session.now) - 0.75, 0, 1.5, height);
  }

  overviewLines(height) {
    const { session } = this;
    const across = Math.max(1, Math.floor(this.plot.width));
    const smooth = session.names.valence_smooth;
    const y = (value) => (1 - (value + 1) / 2) * (height - 6) + 3;
    return session.shownPeople.map((person) => {
      const pixels = Array.from({ length: across }, () => [Infinity, -Infinity]);
      session.times.forEach((time, frame) => {
        const row = person.rows[frame];
        if (row < 0) return;
        const pixel = pixels[Math.min(across - 1, Math.floor(((time - session.start) / (session.end - session.start)) * across))];
        const at = y(smooth[row]);
        pixel[0] = Math.min(pixel[0], at);
        pixel[1] = Math.max(pixel[1], at);
      });
      return { colour: readable(person.base, themed("panel")), pixels };
    });
  }

  listenToOverview() {
    const { session } = this;
    const timeAt = (event) => {
      const { left, width } = this.plot;
      const x = event.clientX - this.overview.getBoundingClientRect().left - left;
      return session.start + (x / width) * (session.end - session.start);
    };
    let held = null;
    this.overview.addEventListener("pointerdown", (event) => {
      const { from, to } = session.view;
      const time = timeAt(event);
      held = time >= from && time <= to ? time - from : (to - from) / 2;
      this.overview.setPointerCapture(event.pointerId);
      session.look(time - held, to - from);
    });
    this.overview.addEventListener("pointermove", (event) => {
      if (held !== null) session.look(timeAt(event) - held, session.view.to - session.view.from);
    });
    for (const end of ["pointerup", "pointercancel"]) this.overview.addEventListener(end, () => (held = null));
  }
}

/** Add the least and the greatest value of a stretch, in the order in which they come; null where there is none. */
function extremes(line, column, rows, begin, end, twice) {
  let [low, high] = [-1, -1];
  if (column) {
    for (let frame = begin; frame <= end; frame++) {
      const row = rows[frame];
      if (row < 0 || Number.isNaN(column[row])) continue;
      if (low < 0 || column[row] < column[rows[low]]) low = frame;
      if (high < 0 || column[row] > column[rows[high]]) high = frame;
    }
  }
  const at = (frame) => (frame < 0 ? null : column[rows[frame]]);
  line.push(at(Math.min(low, high)));
  if (twice) line.push(at(Math.max(low, high)));
}
