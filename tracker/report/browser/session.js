/**
 * The session: its frames and faces, what the reader has changed (names, merged faces, events), and what is being looked
 * at. Parts of the page listen to the topics "frame", "view", "people", "events", "theme" and "playing".
 */
import { unpackColumn } from "./columns.js";

const AWAY_S = 0.25;
const AWAY_STEPS = 1.5;
const SHOWN_AT_FIRST = 6;
const DASHES = [[], [9, 4], [9, 3, 2, 3], [2, 3]];

/** The name of stretches that figures leave out. */
export const EXCLUDED = "excluded";

const NEEDED = ["frame", "face_id", "timestamp", "status", "valence_smooth", "arousal_smooth"];
const WELCOME = ["confidence", "valence", "arousal", "valence_sd", "arousal_sd", "FaceRectX", "FaceRectY",
  "FaceRectWidth", "FaceRectHeight"];

export class Session {
  /** @param facts what tracker/report/page.py says of the session */
  static async open(facts) {
    const session = new Session(facts);
    const expressions = [...session.packed.keys()].filter((name) => name.startsWith("p_"));
    session.expressions = expressions.map((name) => name.slice(2));
    const names = [...NEEDED, ...[...WELCOME, ...expressions].filter((name) => session.packed.has(name))];
    await Promise.all(names.map((name) => session.column(name)));
    session.names = Object.fromEntries(names.map((name) => [name, session.columns.get(name)]));
    session.findFrames();
    if (session.packed.has("face_name")) session.readNames(await session.column("face_name"));
    session.restore();
    session.findPeople();
    return session;
  }

  constructor(facts) {
    this.facts = facts;
    this.listeners = new Map();
    this.columns = new Map();
    this.packed = new Map(facts.columns.map((column) => [column.name, column]));
    this.rows = facts.rows;
    this.edits = { names: {}, merged: {}, events: facts.events };
    this.frame = 0;
    this.playing = false;
    this.raw = null;
    this.band = true;
  }

  on(topics, listener) {
    for (const topic of topics.split(" ")) this.listeners.set(topic, [...(this.listeners.get(topic) ?? []), listener]);
  }

  tell(topic) {
    for (const listener of this.listeners.get(topic) ?? []) listener();
  }

  /** The values of a column, by its name in the table. */
  async column(name) {
    if (!this.columns.has(name)) this.columns.set(name, await unpackColumn(this.packed.get(name), this.rows));
    return this.columns.get(name);
  }

  findFrames() {
    const { timestamp, frame, face_id } = this.names;
    const number = new Map();
    for (let row = 0; row < this.rows; row++) number.set(timestamp[row], frame[row]);
    this.times = Float64Array.from(number.keys()).sort();
    this.numbers = Float64Array.from(this.times, (time) => number.get(time));
    const place = new Map(Array.from(this.times, (time, index) => [time, index]));
    this.frameOfRow = Int32Array.from(timestamp, (time) => place.get(time));
    this.start = this.times[0];
    const steps = Float64Array.from(this.times.subarray(1), (time, index) => time - this.times[index]).sort();
    this.step = steps.length ? steps[steps.length >> 1] : 1 / 25;
    this.end = this.times.at(-1) + this.step;
    this.gap = Math.max(AWAY_S, AWAY_STEPS * this.step);
    this.weights = Float64Array.from(this.times, (time, index) =>
      Math.min((this.times[index + 1] ?? time + this.step) - time, this.gap));
    /** How many gaps of the session itself lie before each frame. */
    this.gaps = new Int32Array(this.times.length);
    for (let i = 1; i < this.times.length; i++) this.gaps[i] = this.gaps[i - 1] + (this.times[i] - this.times[i - 1] > this.gap);
    this.ids = [...new Set(face_id)].filter(Number.isFinite).sort((a, b) => a - b);
    this.view = { from: this.start, to: this.end };
    this.low = Uint8Array.from(this.names.status, (status) => (status === "low_quality" ? 1 : 0));
  }

  /** Faces as the reader knows them: one or more ids of the table under one name. */
  findPeople() {
    const { names, merged } = this.edits;
    const people = new Map();
    for (const id of this.ids) {
      const root = merged[id] ?? id;
      if (!people.has(root)) {
        const number = this.ids.indexOf(root);
        people.set(root, {
          id: root,
          ids: [],
          name: names[root] ?? `face ${root}`,
          base: this.facts.colours[number % this.facts.colours.length],
          dash: DASHES[number % DASHES.length],
          rows: new Int32Array(this.times.length).fill(-1),
          count: 0,
        });
      }
      people.get(root).ids.push(id);
    }
    const { face_id } = this.names;
    for (let row = 0; row < this.rows; row++) {
      const person = people.get(merged[face_id[row]] ?? face_id[row]);
      if (!person) continue;
      person.rows[this.frameOfRow[row]] = row;
      person.count++;
    }
    this.people = [...people.values()];
    const longest = [...this.people].sort((a, b) => b.count - a.count);
    this.shown ??= new Set(longest.slice(0, SHOWN_AT_FIRST).map((person) => person.id));
    this.selected = this.people.find((person) => person.id === this.selected?.id) ?? longest[0] ?? null;
    this.raw ??= this.people.length === 1;
    for (const person of this.people) person.lowStretches = this.stretchesOf(person);
    this.findExcluded();
  }

  /** First and last frames of the stretches in which a face is seen badly. */
  stretchesOf({ rows }) {
    const stretches = [];
    for (let frame = 0; frame < rows.length; frame++) {
      if (rows[frame] < 0 || !this.low[rows[frame]]) continue;
      const latest = stretches.at(-1);
      if (latest?.[1] === frame - 1 && this.gaps[frame] === this.gaps[frame - 1]) latest[1] = frame;
      else stretches.push([frame, frame]);
    }
    return stretches;
  }

  get shownPeople() {
    return this.people.filter((person) => this.shown.has(person.id));
  }

  /** Frames in which two faces are both seen: these are two people, and cannot be merged. */
  seenTogether(one, other) {
    let frames = 0;
    for (let frame = 0; frame < one.rows.length; frame++) frames += one.rows[frame] >= 0 && other.rows[frame] >= 0;
    return frames;
  }

  merge(one, other) {
    for (const id of one.ids) this.edits.merged[id] = other.id;
    delete this.edits.names[one.id];
    this.changePeople();
  }

  part(person) {
    for (const id of person.ids) delete this.edits.merged[id];
    for (const id of person.ids) this.shown.add(id);
    this.changePeople();
  }

  rename(person, name) {
    if (name.trim()) this.edits.names[person.id] = name.trim();
    else delete this.edits.names[person.id];
    this.changePeople();
  }

  readNames(names) {
    const { face_id } = this.names;
    for (let row = 0; row < this.rows; row++) if (names[row]) this.edits.names[face_id[row]] ??= names[row];
  }

  changePeople() {
    this.findPeople();
    this.keep();
    this.tell("people");
  }

  changeEvents(events) {
    this.edits.events = [...events].sort((a, b) => a.time - b.time);
    this.findExcluded();
    this.keep();
    this.tell("events");
  }

  findExcluded() {
    this.excluded = new Uint8Array(this.times.length);
    for (const event of this.edits.events) {
      if (event.name !== EXCLUDED) continue;
      for (let frame = this.firstFrom(event.time); frame < this.times.length && this.times[frame] < event.end; frame++) {
        this.excluded[frame] = 1;
      }
    }
  }

  /** The first frame at or after a time. */
  firstFrom(time) {
    let [low, high] = [0, this.times.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.times[middle] < time) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** The frame that is being shown at a time. */
  frameAt(time) {
    return Math.max(0, Math.min(this.times.length - 1, this.firstFrom(time + 1e-6) - 1));
  }

  /** The frame whose time is nearest. */
  nearest(time) {
    const after = Math.min(this.firstFrom(time), this.times.length - 1);
    return after > 0 && time - this.times[after - 1] < this.times[after] - time ? after - 1 : after;
  }

  get now() {
    return this.times[this.frame];
  }

  showFrame(frame) {
    frame = Math.max(0, Math.min(this.times.length - 1, frame));
    if (frame === this.frame) return;
    this.frame = frame;
    const { from, to } = this.view;
    if (this.now < from || this.now > to) this.look(this.now - (this.playing ? 0.05 : 0.5) * (to - from), to - from);
    this.tell("frame");
  }

  /** Look at a stretch of so many seconds from a time on, as far as the session reaches. */
  look(from, length) {
    const whole = this.end - this.start;
    length = Math.min(whole, Math.max(length, Math.min(whole, 8 * this.step)));
    from = Math.max(this.start, Math.min(from, this.end - length));
    this.view = { from, to: from + length };
    this.tell("view");
  }

  zoom(factor, about = this.now) {
    const { from, to } = this.view;
    const length = Math.min((to - from) * factor, this.end - this.start);
    this.look(about - ((about - from) / (to - from)) * length, length);
  }

  get place() {
    return `affect-report:${this.facts.fingerprint}`;
  }

  /** Keep what the reader changed in this browser, so that it is there after a reload. */
  keep() {
    try {
      localStorage.setItem(this.place, JSON.stringify(this.edits));
    } catch {
      this.forgetful = true;
    }
  }

  restore() {
    try {
      this.edits = { ...this.edits, ...JSON.parse(localStorage.getItem(this.place) ?? "{}") };
    } catch {
      this.forgetful = true;
    }
  }

  forget() {
    try {
      localStorage.removeItem(this.place);
    } catch {
      this.forgetful = true;
    }
    this.edits = { names: {}, merged: {}, events: this.facts.events };
    this.changePeople();
    this.changeEvents(this.edits.events);
  }
}
