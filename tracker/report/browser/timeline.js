/**
 * Valence and arousal over time. Only what can be seen is drawn: of each stretch of frames that falls on few pixels, the
 * least and the greatest value, so that no peak is lost.
 */
import { EXCLUDED } from "./session.js";
import { byFrame, Summits } from "./summits.js";
import { byId, cleared, clock, element, faint, hatched, notice, number, readable, rem, signed, themed } from "./words.js";

const DIMENSIONS = [
  { name: "valence", ends: ["pleasant", "unpleasant"] },
  { name: "arousal", ends: ["active", "calm"] },
];
const FEW_FRAMES = 60;

export class Timeline {
  constructor(session, player) {
    this.session = session;
    this.player = player;
    this.boxes = DIMENSIONS.map(({ name }) => byId(`${name}-chart`));
    this.overview = byId("overview");
    this.playhead = byId("playhead");
    this.overviewHead = byId("overview-head");
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
    // four lines a face: before smoothing, smoothed, and the two edges of the band
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
        { ...axis, size: rem(4.6), splits: () => [-1, -0.5, 0, 0.5, 1], values: (_, ticks) => ticks.map((tick) => number(tick, 1)) },
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
      });
      this.movePlayhead();
      this.drawOverview();
      this.session.tell("drawn");
    });
  }

  /**
   * The frames in view as [level, place] of Summits: single frames, or where they crowd, two to four pixels each; null where the session itself has a gap. They
   * lie at the same frames wherever one looks, so that nothing flickers while the view moves.
   */
  stretches(from, to) {
    const { session } = this;
    const first = Math.max(0, session.firstFrom(from) - 1);
    const last = Math.min(session.times.length - 1, session.firstFrom(to));
    const crowding = (last - first + 1) / Math.max(100, this.plot.width);
    const level = crowding > 1 ? Math.floor(Math.log2(crowding)) + 2 : 0;
    const stretches = [];
    const add = (level, place) => {
      const [begin, end] = this.ends(level, place);
      if (session.gaps[end] > session.gaps[begin]) {
        add(level - 1, 2 * place);
        add(level - 1, 2 * place + 1);
        return;
      }
      if (stretches.length && session.gaps[begin] > session.gaps[begin - 1]) stretches.push(null);
      stretches.push([level, place]);
    };
    for (let place = first >> level; place <= last >> level; place++) add(level, place);
    return stretches;
  }

  /** First and last frame of a stretch. */
  ends(level, place) {
    return [place * 2 ** level, Math.min((place + 1) * 2 ** level, this.session.times.length) - 1];
  }

  data(stretches, dimension) {
    const { session } = this;
    const lines = session.shownPeople.flatMap((person) => {
      const { raw, smooth, lower, upper } = this.summits(person, dimension);
      const band = session.band && lower;
      return [[session.raw && raw, "low", "high"], [smooth, "low", "high"], [band && lower, "low", "low"], [band && upper, "high", "high"]];
    });
    const time = [];
    const columns = lines.map(() => []);
    stretches.forEach((stretch, number) => {
      if (!stretch) {
        const [before, after] = [this.ends(...stretches[number - 1])[1], this.ends(...stretches[number + 1])[0]];
        time.push((session.times[before] + session.times[after]) / 2);
        for (const column of columns) column.push(null);
        return;
      }
      const [level, place] = stretch;
      const [begin, end] = this.ends(level, place);
      time.push(session.times[begin]);
      if (end > begin) time.push(session.times[end]);
      lines.forEach(([summits, first, second], line) => {
        const values = summits && summits.levels[level];
        let [one, other] = values ? [values[first][place], values[second][place]] : [NaN, NaN];
        if (values && first !== second && summits.levels[0].low[begin] > summits.levels[0].low[end]) [one, other] = [other, one];
        columns[line].push(Number.isNaN(one) ? null : one);
        if (end > begin) columns[line].push(Number.isNaN(other) ? null : other);
      });
    });
    return [time, ...columns];
  }

  /** What is drawn of a face in one dimension, made when it is first seen. */
  summits(person, dimension) {
    const made = (person.summits ??= {});
    if (!made[dimension]) {
      const { names } = this.session;
      const [values, smooth, deviation] = [names[dimension], names[`${dimension}_smooth`], names[`${dimension}_sd`]];
      const of = (value) => new Summits(byFrame(person.rows, value));
      made[dimension] = {
        raw: values && of((row) => values[row]),
        smooth: of((row) => smooth[row]),
        lower: deviation && of((row) => smooth[row] - deviation[row]),
        upper: deviation && of((row) => smooth[row] + deviation[row]),
      };
    }
    return made[dimension];
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
      for (const [begin, end] of session.selected.lowStretches) {
        if (session.times[end] >= session.view.from && session.times[begin] <= session.view.to) {
          fill(session.times[begin], session.times[end] + session.weights[end], hatching);
        }
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
    ctx.textAlign = "left";
    ctx.textBaseline = "top";
    ctx.strokeStyle = ctx.fillStyle = themed("ink");
    ctx.lineWidth = devicePixelRatio;
    ctx.setLineDash([3 * devicePixelRatio, 3 * devicePixelRatio]);
    for (const { time, name } of this.session.edits.events) {
      if (name === EXCLUDED || time < this.session.view.from || time > this.session.view.to) continue;
      const x = chart.valToPos(time, "x", true);
      ctx.beginPath();
      ctx.moveTo(x, bbox.top);
      ctx.lineTo(x, bbox.top + bbox.height);
      ctx.stroke();
      if (chart === this.charts[0]) ctx.fillText(name, x + 4 * devicePixelRatio, bbox.top + 3);
    }
    ctx.restore();
  }

  movePlayhead() {
    const { from, to } = this.session.view;
    const { left, width } = this.plot;
    const x = left + ((this.session.now - from) / (to - from)) * width;
    this.playhead.hidden = x < left - 1 || x > left + width + 1;
    this.playhead.style.transform = `translateX(${x}px)`;
    const share = (this.session.now - this.session.start) / (this.session.end - this.session.start);
    this.overviewHead.style.transform = `translateX(${left + share * width}px)`;
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
    if (this.background?.key !== key) this.background = { key, lines: this.overviewLines(left, across, height) };
    context.lineWidth = 1.2;
    for (const { colour, path } of this.background.lines) {
      context.strokeStyle = colour;
      context.stroke(path);
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
  }

  overviewLines(left, width, height) {
    const { session } = this;
    const stretches = this.stretches(session.start, session.end);
    const x = (frame) => left + ((session.times[frame] - session.start) / (session.end - session.start)) * width;
    const y = (value) => (1 - value) * (height / 2 - 3) + 3;
    return session.shownPeople.map((person) => {
      const path = new Path2D();
      let drawing = false;
      for (const stretch of stretches) {
        const values = stretch && this.summits(person, "valence").smooth.levels[stretch[0]];
        const low = values ? values.low[stretch[1]] : NaN;
        if (Number.isNaN(low)) {
          drawing = false;
          continue;
        }
        const at = x(this.ends(...stretch)[0]);
        path[drawing ? "lineTo" : "moveTo"](at, y(low));
        path.lineTo(at, y(values.high[stretch[1]]) - 0.5);
        drawing = true;
      }
      return { colour: readable(person.base, themed("panel")), path };
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
