/** The page: opens the session, sets its parts beside each other, and gives them keys, theme and words. */
import { Circumplex } from "./circumplex.js";
import { Faces } from "./faces.js";
import { Figures } from "./figures.js";
import { Marks } from "./marks.js";
import { Player } from "./player.js";
import { Session } from "./session.js";
import { Strips } from "./strips.js";
import { Timeline } from "./timeline.js";
import { byId, cleared, clock, element, notice, number, readable, signed } from "./words.js";

const SECOND_STEP_S = 1;

async function open() {
  const facts = JSON.parse(byId("session").textContent);
  const theme = followTheme();
  byId("title").textContent = facts.title;
  const session = await Session.open(facts);
  theme(session);
  byId("subtitle").textContent = subtitle(session);
  const player = new Player(session);
  const timeline = new Timeline(session, player);
  new Strips(session, timeline);
  new Circumplex(session);
  new Faces(session);
  new Figures(session);
  const marks = new Marks(session, player, timeline);
  showTransport(session, player);
  showBoxes(session, player);
  showChoices(session);
  showMaking(session);
  listenToKeys(session, player, marks);
  Object.assign(window, { session, player, timeline });
  document.body.dataset.ready = "yes";
}

function subtitle(session) {
  const { made } = session.facts;
  const faces = session.people.length === 1 ? "1 face" : `${number(session.people.length, 0)} faces`;
  const model = made.model?.name ? `, model ${made.model.name}` : "";
  return `Apparent affect of ${faces} over ${clock(session.end - session.start)}${model}`;
}

/** Light or dark as the system has it, until the reader chooses. */
function followTheme() {
  const system = matchMedia("(prefers-color-scheme: dark)");
  let [chosen, session] = [null, null];
  const apply = () => {
    document.documentElement.dataset.theme = (chosen ?? system.matches) ? "dark" : "light";
    byId("theme").textContent = (chosen ?? system.matches) ? "Light" : "Dark";
    session?.tell("theme");
  };
  system.addEventListener("change", apply);
  byId("theme").addEventListener("click", () => {
    chosen = !(chosen ?? system.matches);
    apply();
  });
  apply();
  return (opened) => (session = opened);
}

function showTransport(session, player) {
  const slider = byId("position");
  slider.max = session.times.length - 1;
  slider.addEventListener("input", () => {
    player.pause();
    player.goTo(Number(slider.value));
  });
  byId("play").addEventListener("click", () => player.toggle());
  byId("back").addEventListener("click", () => player.step(-1));
  byId("forward").addEventListener("click", () => player.step(1));
  byId("rate").addEventListener("change", (event) => player.setRate(Number(event.target.value)));
  byId("sound").addEventListener("click", () => {
    player.video.muted = !player.video.muted;
    byId("sound").setAttribute("aria-pressed", player.video.muted);
  });
  let told = 0;
  const show = () => {
    slider.value = session.frame;
    byId("time").textContent = `${clock(session.now, 3)} / ${clock(session.end - session.start, 1)}`;
    const other = player.ready && player.wanted === null && player.asked !== null && !session.playing && player.mediaTime !== undefined && player.shown() !== session.frame;
    byId("frame").textContent = `frame ${number(session.numbers[session.frame], 0)}` +
      (other ? ` (the video shows ${number(session.numbers[player.shown()], 0)})` : "");
    if (session.playing && performance.now() - told < 1000) return;
    told = performance.now();
    slider.setAttribute("aria-valuetext", sayFrame(session));
  };
  session.on("frame people seeked", show);
  player.video.addEventListener("seeked", show);
  session.on("playing", () => {
    byId("play").textContent = session.playing ? "Pause" : "Play";
    show();
  });
  show();
}

/** A frame in words, for a screen reader. */
function sayFrame(session) {
  const { valence_smooth, arousal_smooth } = session.names;
  const faces = session.shownPeople.map((person) => {
    const row = person.rows[session.frame];
    if (row < 0) return `${person.name} not seen`;
    const quality = session.low[row] ? ", low quality" : "";
    return `${person.name}: valence ${signed(valence_smooth[row])}, arousal ${signed(arousal_smooth[row])}${quality}`;
  });
  return [clock(session.now, 2), ...faces].join("; ");
}

/** The faces' boxes over the video, in their colours. */
function showBoxes(session, player) {
  const canvas = byId("boxes");
  const wanted = byId("show-boxes");
  const { FaceRectX: x, FaceRectY: y, FaceRectWidth: w, FaceRectHeight: h } = session.names;
  if (!h) byId("show-boxes-box").hidden = true;
  else wanted.checked = session.facts.video?.boxes ?? true;
  const draw = () => {
    const { context, width, height } = cleared(canvas);
    if (!h || !wanted.checked || !player.ready) return;
    const across = session.facts.made.source.width || player.video.videoWidth;
    const down = session.facts.made.source.height || player.video.videoHeight;
    const scale = Math.min(width / across, height / down);
    const [left, top] = [(width - across * scale) / 2, (height - down * scale) / 2];
    context.lineWidth = 2;
    context.font = "600 12px system-ui, sans-serif";
    for (const person of session.shownPeople) {
      const row = person.rows[session.frame];
      if (row < 0 || !(w[row] > 0)) continue;
      const corner = [left + x[row] * scale, top + y[row] * scale];
      context.setLineDash(session.low[row] ? [5, 4] : []);
      context.strokeStyle = context.fillStyle = readable(person.base, "#101418");
      context.strokeRect(...corner, w[row] * scale, h[row] * scale);
      if (session.people.length > 1 || session.edits.names[person.id]) context.fillText(person.name, corner[0], corner[1] - 5);
    }
  };
  wanted.addEventListener("change", draw);
  session.on("frame people selected", draw);
  player.video.addEventListener("loadeddata", draw);
  new ResizeObserver(draw).observe(canvas);
}

function showChoices(session) {
  const raw = byId("show-raw");
  const band = byId("show-band");
  raw.checked = session.raw;
  byId("show-band-box").hidden = !session.names.valence_sd;
  raw.addEventListener("change", () => {
    session.raw = raw.checked;
    session.tell("view");
  });
  band.addEventListener("change", () => {
    session.band = band.checked;
    session.tell("view");
    session.tell("frame");
  });
  byId("zoom-in").addEventListener("click", () => session.zoom(0.5));
  byId("zoom-out").addEventListener("click", () => session.zoom(2));
  byId("zoom-all").addEventListener("click", () => session.look(session.start, session.end - session.start));
}

/** How the trace was made, as its sheet tells. */
function showMaking(session) {
  const { made, reported_by, table } = session.facts;
  const { source, smoothing, quality_limits: limits } = made;
  const rows = [
    ["Table", table],
    ["Tracked by", made.version && `affect-tracker ${made.version}`],
    ["Model", made.model && `${made.model.name} (${made.model.kind})`],
    ["Its SHA-256", made.model?.sha256],
    ["Its terms", made.model?.terms],
    ["Landmark model", made.landmark_model?.name],
    ["Window", made.sequence_length && (made.sequence_length === 1 ? "single frames" : `${made.sequence_length} frames${made.window_rate_hz ? ` at ${number(made.window_rate_hz, 1)} Hz` : ""}`)],
    ["Smoothing", smoothing && smoothing.kind],
    ["Lag of the smoothed trace", smoothing?.lag_ms != null && `${number(smoothing.lag_ms, 0)} ms`],
    ["Run by", made.runtime && `${made.runtime} on ${made.device}`],
    ["Source", source.width && `${source.width} × ${source.height}${source.codec ? `, ${source.codec}` : ""}${source.rate_hz ? `, ${number(source.rate_hz, 2)} frames a second` : ""}`],
    ["Frames", made.decoded != null && number(made.decoded, 0)],
    ["Low quality", limits && `face under ${number(limits.min_size_px, 0)} px, darker than ${number(limits.min_brightness, 0)} of 255, sharpness under ${number(limits.min_sharpness, 0)}, or turned by over ${number(limits.max_turn_deg, 0)}°`],
    ["Complete", made.complete === false ? "no: tracking broke off, or the source did" : null],
    ["Warnings", made.warnings.join("; ")],
    ["Page by", `affect-tracker ${reported_by}`],
  ];
  byId("making").append(...rows.filter(([, value]) => value).flatMap(([name, value]) => [element("dt", {}, name), element("dd", {}, value)]));
  byId("no-sheet").hidden = Boolean(made.model);
}

function listenToKeys(session, player, marks) {
  const help = byId("help");
  byId("show-help").addEventListener("click", () => help.showModal());
  byId("close-help").addEventListener("click", () => help.close());
  const actions = {
    " ": () => player.toggle(),
    ArrowLeft: (event) => (event.shiftKey ? player.seek(session.now - SECOND_STEP_S) : player.step(-1)),
    ArrowRight: (event) => (event.shiftKey ? player.seek(session.now + SECOND_STEP_S) : player.step(1)),
    Home: () => player.goTo(0),
    End: () => player.goTo(session.times.length - 1),
    "+": () => session.zoom(0.5),
    "=": () => session.zoom(0.5),
    "-": () => session.zoom(2),
    0: () => session.look(session.start, session.end - session.start),
    m: () => marks.mark("marker"),
    x: () => marks.beginOrEnd(),
    u: () => marks.undo(),
    "?": () => help.showModal(),
  };
  for (let key = 1; key <= 9; key++) actions[key] = () => marks.mark(`marker ${key}`);
  document.addEventListener("keydown", (event) => {
    const { target } = event;
    if (event.ctrlKey || event.metaKey || event.altKey || help.open) return;
    if (target.matches("input[type=text], select, textarea")) return;
    if (event.key === " " && target.matches("button, input, summary")) return;
    if (event.key.startsWith("Arrow") && target.matches("input[type=radio]")) return;
    const action = actions[event.key] ?? actions[event.key.toLowerCase()];
    if (!action) return;
    event.preventDefault();
    action(event);
  });
}

open().catch((error) => {
  console.error(error);
  notice(`This report cannot be shown: ${error.message}. A newer browser may help (Chrome or Edge 89, Firefox 113, Safari 16.4).`);
});
