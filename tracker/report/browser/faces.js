/** The faces: names, which ids are one person, which are shown, and what is read of each right now. */
import { byId, element, notice, number, readable, signed, themed } from "./words.js";

export class Faces {
  constructor(session) {
    this.session = session;
    this.list = byId("faces");
    this.readings = new Map();
    session.on("people theme", () => this.build());
    session.on("frame", () => this.read());
    this.build();
  }

  build() {
    const { session } = this;
    this.readings.clear();
    this.list.replaceChildren(...session.people.map((person) => this.entry(person)));
    byId("no-faces").hidden = session.people.length > 0;
    this.read();
  }

  entry(person) {
    const { session } = this;
    const dot = element("i", { class: "dot" });
    dot.style.background = readable(person.base, themed("panel"));
    const name = element("input", {
      type: "text", class: "name", maxlength: 60, "aria-label": `Name of ${person.name}`, title: "Rename this face",
      change: (event) => session.rename(person, event.target.value),
    });
    name.value = person.name;
    const shown = element("input", {
      type: "checkbox", "aria-label": `Show ${person.name}`, title: "Show in the traces",
      change: (event) => {
        session.shown[event.target.checked ? "add" : "delete"](person.id);
        session.tell("people");
        this.focus(person, "checkbox");
      },
    });
    shown.checked = session.shown.has(person.id);
    const chosen = element("input", {
      type: "radio", name: "chosen", "aria-label": `Choose ${person.name}`, title: "Its expressions, density and quality are shown",
      change: () => {
        session.selected = person;
        session.tell("selected");
        session.tell("view");
        this.read();
      },
    });
    chosen.checked = session.selected === person;
    const value = element("output", { class: "reading" });
    const { thumbnails } = session.facts;
    const picture = thumbnails[person.id] ?? person.ids.map((id) => thumbnails[id]).find(Boolean);
    this.readings.set(person, value);
    return element("li", { "data-face": person.id }, chosen, shown, dot,
      picture ? element("img", { src: picture, alt: "", width: 44, height: 44 }) : null, name, value, this.mergeControl(person));
  }

  mergeControl(person) {
    const { session } = this;
    if (person.ids.length > 1) {
      return element("button", { type: "button", class: "quiet", click: () => session.part(person) }, `Part ${person.ids.length} ids`);
    }
    if (session.people.length < 2) return null;
    const choice = element("select", {
      "aria-label": `Merge ${person.name} into another face`,
      change: (event) => {
        const other = session.people.find((each) => String(each.id) === event.target.value);
        const together = session.seenTogether(person, other);
        event.target.value = "";
        if (together) {
          const frames = together === 1 ? "1 frame" : `${number(together, 0)} frames`;
          return notice(`${person.name} and ${other.name} are seen together in ${frames}: these are two people.`);
        }
        session.merge(person, other);
        return notice(`${person.name} is now part of ${other.name}.`);
      },
    }, element("option", { value: "" }, "is also …"));
    choice.append(...session.people.filter((each) => each !== person).map((each) => element("option", { value: each.id }, each.name)));
    return choice;
  }

  focus(person, kind) {
    this.list.querySelector(`[data-face="${person.id}"] input[type="${kind}"]`)?.focus();
  }

  /** What is read of each face in this frame. */
  read() {
    const { session } = this;
    const { names } = session;
    for (const [person, place] of this.readings) {
      const row = person.rows[session.frame];
      place.textContent = row < 0 ? "not seen" : `V ${signed(names.valence_smooth[row])}  A ${signed(names.arousal_smooth[row])}`;
      place.title = row >= 0 && session.low[row] ? "low quality" : "";
      place.classList.toggle("low", row >= 0 && session.low[row] === 1);
    }
    this.readExpressions();
  }

  readExpressions() {
    const { session } = this;
    const box = byId("expression-bars");
    byId("expressions-now").hidden = !session.expressions.length;
    if (!session.expressions.length) return;
    if (!box.children.length) {
      box.append(...session.expressions.flatMap((name) => [
        element("span", {}, name), element("span", { class: "track" }, element("i")), element("span", { class: "value" }),
      ]));
    }
    const row = session.selected ? session.selected.rows[session.frame] : -1;
    session.expressions.forEach((name, place) => {
      const share = row < 0 ? NaN : session.names[`p_${name}`][row];
      box.children[3 * place + 1].firstChild.style.width = `${100 * (share || 0)}%`;
      box.children[3 * place + 2].textContent = number(share);
    });
    byId("expression-face").textContent = session.selected?.name ?? "";
  }
}
