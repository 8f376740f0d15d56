/** Under the traces, on the same axis of time: when each face was seen and how well, and the expressions of one. */
import { byId, cleared, hatched, readable, rem, themed } from "./words.js";

export class Strips {
  constructor(session, timeline) {
    this.session = session;
    this.timeline = timeline;
    this.presence = byId("presence");
    this.expressions = byId("expressions");
    byId("expressions-box").hidden = !session.expressions.length;
    session.on("drawn selected", () => this.draw());
  }

  draw() {
    const { session } = this;
    const lane = rem(1.1);
    this.presence.style.height = `${Math.max(1, session.shownPeople.length) * lane}px`;
    this.expressions.style.height = `${session.expressions.length * lane}px`;
    this.drawPresence(lane);
    if (session.expressions.length) this.drawExpressions(lane);
  }

  /** Calls back with the first and the last frame of each pixel that has any. */
  eachPixel(back) {
    const { session } = this;
    const { from, to } = session.view;
    const width = Math.max(1, Math.floor(this.timeline.plot.width));
    for (let pixel = 0, frame = session.firstFrom(from); pixel < width; pixel++) {
      const next = Math.max(frame, session.firstFrom(from + ((pixel + 1) / width) * (to - from)));
      if (next > frame) back(pixel, frame, next - 1);
      else if (frame > 0 && from + (pixel / width) * (to - from) - session.times[frame - 1] < session.weights[frame - 1]) back(pixel, frame - 1, frame - 1);
      frame = next;
    }
  }

  drawPresence(lane) {
    const { session } = this;
    const { context } = cleared(this.presence);
    const { left } = this.timeline.plot;
    context.font = `${rem(0.72)}px system-ui, sans-serif`;
    context.textBaseline = "middle";
    context.textAlign = "right";
    session.shownPeople.forEach((person, place) => {
      const colour = readable(person.base, themed("panel"));
      const low = hatched(context, colour);
      const top = place * lane + 2;
      context.fillStyle = themed("faint");
      context.fillText(person.name, left - 6, place * lane + lane / 2, left - 8);
      this.eachPixel((pixel, first, last) => {
        let [seen, bad] = [0, 0];
        for (let frame = first; frame <= last; frame++) {
          if (person.rows[frame] < 0) continue;
          seen++;
          bad += session.low[person.rows[frame]];
        }
        if (!seen) return;
        context.fillStyle = bad * 2 > seen ? low : colour;
        const full = (lane - 4) * (seen / (last - first + 1));
        context.fillRect(left + pixel, top + lane - 4 - full, 1, full);
      });
    });
  }

  drawExpressions(lane) {
    const { session } = this;
    const { context } = cleared(this.expressions);
    const { left, width } = this.timeline.plot;
    const rows = session.selected?.rows;
    context.font = `${rem(0.72)}px system-ui, sans-serif`;
    context.textBaseline = "middle";
    context.textAlign = "right";
    context.fillStyle = themed("faint");
    session.expressions.forEach((name, place) => context.fillText(name, left - 6, (place + 0.5) * lane, left - 8));
    context.fillStyle = themed("well");
    session.expressions.forEach((_, place) => context.fillRect(left, place * lane + 1, width, lane - 2));
    if (!rows) return;
    context.fillStyle = themed("heat");
    const columns = session.expressions.map((name) => session.names[`p_${name}`]);
    this.eachPixel((pixel, first, last) => {
      columns.forEach((column, place) => {
        let [sum, seen] = [0, 0];
        for (let frame = first; frame <= last; frame++) {
          const row = rows[frame];
          if (row < 0 || Number.isNaN(column[row])) continue;
          sum += column[row];
          seen++;
        }
        if (!seen) return;
        context.globalAlpha = Math.min(1, sum / seen);
        context.fillRect(left + pixel, place * lane + 1, 1, lane - 2);
      });
    });
    context.globalAlpha = 1;
  }
}
