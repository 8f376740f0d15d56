/** Under the traces, on the same axis of time: when each face was seen and how well, and the expressions of one. */
import { sums } from "./summits.js";
import { byId, cleared, hatched, readable, rem, themed } from "./words.js";

export class Strips {
  constructor(session, timeline) {
    this.session = session;
    this.timeline = timeline;
    this.presence = byId("presence");
    this.expressions = byId("expressions");
    this.small = document.createElement("canvas");
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
      person.seen ??= sums(person.rows.length, (frame) => person.rows[frame] >= 0);
      person.bad ??= sums(person.rows.length, (frame) => person.rows[frame] >= 0 && session.low[person.rows[frame]]);
      const top = place * lane + 2;
      context.fillStyle = themed("faint");
      context.fillText(person.name, left - 6, place * lane + lane / 2, left - 8);
      let run = null;
      const fill = () => {
        if (!run) return;
        context.fillStyle = run.bad ? low : colour;
        context.fillRect(left + run.from, top + (lane - 4) * (1 - run.share), run.to - run.from + 1, (lane - 4) * run.share);
      };
      this.eachPixel((pixel, first, last) => {
        const seen = person.seen[last + 1] - person.seen[first];
        const bad = 2 * (person.bad[last + 1] - person.bad[first]) > seen;
        const share = seen / (last - first + 1);
        if (run && run.to === pixel - 1 && run.bad === bad && run.share === share) {
          run.to = pixel;
          return;
        }
        fill();
        run = seen ? { from: pixel, to: pixel, bad, share } : null;
      });
      fill();
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
    const person = session.selected;
    person.likely ??= session.expressions.map((name) => {
      const column = session.names[`p_${name}`];
      return sums(rows.length, (frame) => rows[frame] >= 0 && column[rows[frame]]);
    });
    person.seen ??= sums(rows.length, (frame) => rows[frame] >= 0);
    const image = new ImageData(Math.max(1, Math.floor(width)), person.likely.length);
    const [red, green, blue] = [1, 3, 5].map((start) => parseInt(themed("heat").slice(start, start + 2), 16));
    this.eachPixel((pixel, first, last) => {
      const seen = person.seen[last + 1] - person.seen[first];
      if (!seen) return;
      person.likely.forEach((running, place) => {
        image.data.set([red, green, blue, (255 * (running[last + 1] - running[first])) / seen], 4 * (place * image.width + pixel));
      });
    });
    [this.small.width, this.small.height] = [image.width, image.height];
    this.small.getContext("2d").putImageData(image, 0, 0);
    context.imageSmoothingEnabled = false;
    person.likely.forEach((_, place) => context.drawImage(this.small, 0, place, image.width, 1, left, place * lane + 1, image.width, lane - 2));
  }
}
