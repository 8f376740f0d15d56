/** Numbers as the reader's language writes them, times, colours, and elements of the page. */

const formats = new Map();

/** A number with so many decimals; "–" where it is missing. */
export function number(value, decimals = 2, options = {}) {
  if (!Number.isFinite(value)) return "–";
  const key = JSON.stringify([decimals, options]);
  if (!formats.has(key)) {
    const digits = { minimumFractionDigits: decimals, maximumFractionDigits: decimals };
    formats.set(key, new Intl.NumberFormat(navigator.language, { ...digits, ...options }));
  }
  return formats.get(key).format(value);
}

export const signed = (value) => number(value, 2, { signDisplay: "exceptZero" });

export const percent = (share) => (Number.isFinite(share) ? number(share, share > 0 && share < 0.1 ? 1 : 0, { style: "percent" }) : "–");

/** Seconds, from a minute on minutes and seconds, from an hour on hours too. */
export function clock(seconds, decimals = 1) {
  if (!Number.isFinite(seconds)) return "–";
  const rounded = Math.round(seconds * 10 ** decimals) / 10 ** decimals;
  if (Math.abs(rounded) < 60) return `${number(rounded, decimals)} s`;
  const minutes = Math.floor(rounded / 60);
  const rest = number(rounded - minutes * 60, decimals, { minimumIntegerDigits: 2 });
  if (minutes < 60) return `${minutes}:${rest}`;
  return `${Math.floor(minutes / 60)}:${String(minutes % 60).padStart(2, "0")}:${rest}`;
}

/** An element: attributes by name, listeners as functions, text and elements as its children. */
export function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") made.addEventListener(name, value);
    else if (value === true) made.setAttribute(name, "");
    else if (value !== false && value != null) made.setAttribute(name, value);
  }
  made.append(...children.filter((child) => child != null));
  return made;
}

export const byId = (id) => document.getElementById(id);

/** A colour of the page's theme. */
export const themed = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

/** Pixels of a length in the page's own letters. */
export const rem = (count) => count * parseFloat(getComputedStyle(document.documentElement).fontSize);

/** A hexadecimal colour, made darker or lighter until a line of it stands out 3:1 (WCAG 1.4.11) from the background. */
export function readable(colour, background) {
  const rgb = (text) => [1, 3, 5].map((start) => parseInt(text.slice(start, start + 2), 16));
  const luminance = (parts) => {
    const [r, g, b] = parts.map((part) => (part / 255 <= 0.04045 ? part / 255 / 12.92 : ((part / 255 + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = luminance(rgb(background));
  const goal = behind > 0.4 ? 0 : 255;
  let parts = rgb(colour);
  for (let step = 0; step < 40; step++) {
    const front = luminance(parts);
    if ((Math.max(front, behind) + 0.05) / (Math.min(front, behind) + 0.05) >= 3.05) break;
    parts = parts.map((part) => part + (goal - part) * 0.06);
  }
  return `#${parts.map((part) => Math.round(part).toString(16).padStart(2, "0")).join("")}`;
}

/** A colour with an opacity. */
export const faint = (colour, opacity) => `${colour}${Math.round(opacity * 255).toString(16).padStart(2, "0")}`;

/** A canvas, as large as it is shown, cleared; its context draws in CSS pixels. */
export function cleared(canvas) {
  const { clientWidth: width, clientHeight: height } = canvas;
  const ratio = devicePixelRatio || 1;
  if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
  }
  const context = canvas.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  return { context, width, height };
}

const hatchings = new Map();

/** Diagonal strokes as a fill, in CSS pixels scaled by so much. */
export function hatched(context, colour, scale = 1) {
  const key = `${colour} ${scale}`;
  if (!hatchings.has(key)) hatchings.set(key, hatching(colour, scale));
  return context.createPattern(hatchings.get(key), "repeat");
}

function hatching(colour, scale) {
  const tile = document.createElement("canvas");
  tile.width = tile.height = Math.round(6 * scale);
  const pen = tile.getContext("2d");
  pen.strokeStyle = colour;
  pen.lineWidth = 1.4 * scale;
  pen.beginPath();
  for (const shift of [-1, 0, 1]) {
    pen.moveTo(shift * tile.width, tile.height);
    pen.lineTo((shift + 1) * tile.width, 0);
  }
  pen.stroke();
  return tile;
}

/** Offer text as a file to keep; nothing leaves the computer. */
export function offer(name, text) {
  const address = URL.createObjectURL(new Blob([text], { type: "text/csv;charset=utf-8" }));
  element("a", { href: address, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
}

/** One line of comma-separated values. */
export const csvLine = (cells) => `${cells.map(csvCell).join(",")}\n`;

function csvCell(value) {
  if (value == null || Number.isNaN(value)) return "";
  const text = String(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** Say something in the page's line for notices, which screen readers read out. */
export function notice(text) {
  byId("notice").textContent = text;
}
