/** Events: moments marked by keys, stretches left out, and the files that carry them and the faces' names away. */
import { byId, clock, csvLine, element, notice, number, offer } from "./words.js";

export class Marks {
  constructor(session, player, timeline) {
    this.session = session;
    this.player = player;
    this.timeline = timeline;
    this.begun = null;
    session.on("events", () => this.build());
    byId("mark").addEventListener("click", () => this.mark("marker"));
    byId("exclude").addEventListener("click", () => this.beginOrEnd());
    byId("save-events").addEventListener("click", () => this.saveEvents());
    byId("save-table").addEventListener("click", () => this.saveTable());
    byId("forget").addEventListener("click", () => {
      if (confirm("Forget the names, merged faces and events that you made in this browser?")) session.forget();
    });
    this.build();
    if (session.forgetful) notice("This browser keeps nothing for pages from disk: save your events before you leave.");
  }

  /** Mark the moment that is shown. */
  mark(name) {
    const { session } = this;
    session.changeEvents([...session.edits.events, { time: session.now, end: session.now, name }]);
    notice(`${name} at ${clock(session.now, 2)}.`);
  }

  /** Begin to leave out at this frame; called again, end with this frame. */
  beginOrEnd() {
    const { session } = this;
    if (this.begun === null) {
      this.begun = session.now;
      notice(`Left out from ${clock(session.now, 2)}: go to the last frame and press X again.`);
    } else {
      const [from, to] = [this.begun, session.now].sort((a, b) => a - b);
      this.begun = null;
      this.timeline.exclude(from, to);
    }
    byId("exclude").setAttribute("aria-pressed", this.begun !== null);
  }

  undo() {
    const { session } = this;
    const made = session.edits.events.filter((event) => !session.facts.events.some((other) => other.time === event.time && other.name === event.name));
    const latest = made.at(-1);
    if (latest) session.changeEvents(session.edits.events.filter((event) => event !== latest));
  }

  build() {
    const { session } = this;
    const { events } = session.edits;
    byId("no-events").hidden = events.length > 0;
    byId("event-table").hidden = events.length === 0;
    byId("events").replaceChildren(...events.map((event) => {
      const name = element("input", {
        type: "text", "aria-label": `Name of the event at ${clock(event.time, 2)}`, maxlength: 80,
        change: ({ target }) => session.changeEvents(events.map((each) => (each === event ? { ...each, name: target.value.trim() || "marker" } : each))),
      });
      name.value = event.name;
      return element("tr", {},
        element("td", {}, element("button", { type: "button", class: "quiet", click: () => this.player.seek(event.time) }, clock(event.time, 2))),
        element("td", {}, event.end > event.time ? clock(event.end - event.time, 2) : "–"),
        element("td", {}, name),
        element("td", {}, element("button", {
          type: "button", class: "quiet", "aria-label": `Remove ${event.name} at ${clock(event.time, 2)}`, title: "Remove",
          click: () => session.changeEvents(events.filter((each) => each !== event)),
        }, "✕")));
    }));
  }

  /** The events as `affect live` writes them, and how long each lasts, seconds. */
  saveEvents() {
    const { session } = this;
    const lines = session.edits.events.map((event) => csvLine([
      session.numbers[session.frameAt(event.time)], round(event.time), event.name, round(event.end - event.time),
    ]));
    offer(`${session.facts.stem}.events.csv`, csvLine(["frame", "timestamp", "event", "duration"]) + lines.join(""));
    notice(`${number(lines.length, 0)} events saved as ${session.facts.stem}.events.csv.`);
  }

  /** The whole table, every column of it, with merged ids as one, the faces' names, and what is left out. */
  async saveTable() {
    const { session } = this;
    const names = session.facts.columns.map(({ name }) => name).filter((name) => !["face_name", "excluded"].includes(name));
    const columns = await Promise.all(names.map((name) => session.column(name)));
    const person = new Map(session.people.flatMap((each) => each.ids.map((id) => [id, each])));
    const ids = session.names.face_id;
    const order = Array.from({ length: session.rows }, (_, row) => row).sort((a, b) => session.frameOfRow[a] - session.frameOfRow[b] || ids[a] - ids[b]);
    const lines = [csvLine([...names, "face_name", "excluded"])];
    for (const row of order) {
      const who = person.get(ids[row]);
      const cells = columns.map((column, place) => (names[place] === "face_id" && who ? who.id : column[row]));
      lines.push(csvLine([...cells, session.edits.names[who?.id] ?? "", session.excluded[session.frameOfRow[row]]]));
    }
    offer(`${session.facts.stem}.edited.csv`, lines.join(""));
    notice(`Saved as ${session.facts.stem}.edited.csv; ${session.facts.table} is as it was.`);
  }
}

const round = (seconds) => Math.round(seconds * 1e6) / 1e6;

