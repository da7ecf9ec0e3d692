"use strict";
const data = JSON.parse(document.getElementById("data").textContent);
const bytes = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
const xs = new Uint16Array(bytes(data.x).buffer);
const ys = new Uint16Array(bytes(data.y).buffer);
const groups = bytes(data.group);
const rows = new Uint32Array(bytes(data.rows).buffer);
const map = document.getElementById("map");
const one = document.getElementById("one");
const sharp = window.devicePixelRatio || 1;
const CELL = 38; // CSS pixels of the cells of which each shows one picture at most
const EDGE = 12;
const sheet = new Image();
const drawn = document.createElement("canvas");
let wide = 0, scale = 1, left = 0, top0 = 0; // what is seen begins at (left, top0)
let chosen = -1, held = false, current = -1, withPictures = Boolean(data.sheet);
let shown = new Map(); // cell to position in rows

// Places in CSS pixels of the canvas; y goes up in the data and down on the page.
const px = (row) => EDGE + (xs[row] / 65535 - left) * scale * (wide - 2 * EDGE);
const py = (row) => EDGE + (1 - ys[row] / 65535 - top0) * scale * (wide - 2 * EDGE);
const seen = (row) => chosen < 0 || groups[row] === chosen;

function fit(canvas) {
  const box = canvas.getBoundingClientRect();
  canvas.width = Math.round(box.width * sharp);
  canvas.height = Math.round(box.height * sharp);
  const pen = canvas.getContext("2d");
  pen.setTransform(sharp, 0, 0, sharp, 0, 0);
  pen.imageSmoothingEnabled = false;
  return [pen, box.width, box.height];
}

function picture(pen, at, x, y, side) {
  const [w, h] = data.sizes[data.sizes.length > 1 ? at : 0];
  const by = side / Math.max(w, h);
  const sx = (at % data.across) * data.side;
  const sy = Math.floor(at / data.across) * data.side;
  const dx = x + (side - w * by) / 2, dy = y + (side - h * by) / 2;
  pen.drawImage(sheet, sx, sy, w, h, dx, dy, w * by, h * by);
}

// Cells stand still in the data, so that moving changes none of them.
function cellOf(x, y) {
  const unit = scale * (wide - 2 * EDGE);
  return [Math.floor((x - EDGE + left * unit) / CELL), Math.floor((y - EDGE + top0 * unit) / CELL)];
}

function corner(column, down) {
  const unit = scale * (wide - 2 * EDGE);
  return [column * CELL - left * unit + EDGE, down * CELL - top0 * unit + EDGE];
}

function draw() {
  const [pen, w, h] = fit(map);
  wide = w;
  const size = Math.max(1.5, Math.min(6, 160 / Math.sqrt(xs.length)) * Math.sqrt(scale));
  for (const dim of [true, false]) {
    pen.globalAlpha = dim ? 0.12 : 1;
    for (let row = 0; row < xs.length; row++) {
      if (seen(row) === dim) continue;
      const x = px(row), y = py(row);
      if (x < -9 || y < -9 || x > w + 9 || y > h + 9) continue;
      pen.fillStyle = data.colours[groups[row]];
      pen.fillRect(x - size / 2, y - size / 2, size, size);
    }
  }
  shown = new Map();
  if (withPictures && sheet.complete) {
    for (let at = 0; at < rows.length; at++) {
      const x = px(rows[at]), y = py(rows[at]);
      if (!seen(rows[at]) || x < 0 || y < 0 || x > w || y > h) continue;
      const cell = cellOf(x, y), key = cell.join();
      if (shown.has(key)) continue;
      shown.set(key, at);
      const [cx, cy] = corner(...cell);
      pen.fillStyle = data.colours[groups[rows[at]]];
      pen.fillRect(cx, cy, CELL - 2, CELL - 2);
      picture(pen, at, cx + 2, cy + 2, CELL - 6);
    }
  }
  drawn.width = map.width;
  drawn.height = map.height;
  drawn.getContext("2d").drawImage(map, 0, 0);
  ring();
}

// A ring around the current point, over what was drawn before.
function ring() {
  const pen = map.getContext("2d");
  pen.save();
  pen.setTransform(1, 0, 0, 1, 0, 0);
  pen.clearRect(0, 0, map.width, map.height);
  pen.drawImage(drawn, 0, 0);
  pen.restore();
  if (current < 0) return;
  pen.strokeStyle = getComputedStyle(map).color;
  pen.lineWidth = 2;
  pen.beginPath();
  pen.arc(px(rows[current]), py(rows[current]), 7, 0, 7);
  pen.stroke();
}

function tell(at) {
  if (at === current) return;
  current = at;
  const [pen, w, h] = fit(one);
  pen.clearRect(0, 0, w, h);
  const put = (id, text) => { document.getElementById(id).textContent = text; };
  if (at >= 0 && data.sheet) picture(pen, at, 0, 0, w);
  put("name", at < 0 ? "" : data.names[at]);
  put("label", at < 0 ? "" : data.labels[at] ?? "");
  put("error", at < 0 || !data.errors ? "" : `error ${data.errors[at]}`);
  ring();
}

function under(event) {
  const box = map.getBoundingClientRect();
  const x = event.clientX - box.left, y = event.clientY - box.top;
  const cell = shown.get(cellOf(x, y).join());
  if (cell !== undefined) return cell;
  let best = -1, least = 14 * 14;
  for (let at = 0; at < rows.length; at++) {
    const away = (px(rows[at]) - x) ** 2 + (py(rows[at]) - y) ** 2;
    if (away < least && seen(rows[at])) [best, least] = [at, away];
  }
  return best;
}

function zoom(by, x = wide / 2, y = wide / 2) {
  const before = scale, unit = wide - 2 * EDGE;
  scale = Math.min(200, Math.max(1, scale * by));
  left += ((x - EDGE) / unit) * (1 / before - 1 / scale);
  top0 += ((y - EDGE) / unit) * (1 / before - 1 / scale);
  if (scale === 1) left = top0 = 0;
  draw();
}

let from = null, moved = false;
map.addEventListener("pointerdown", (event) => {
  from = [event.clientX, event.clientY];
  moved = false;
  map.setPointerCapture(event.pointerId);
});
map.addEventListener("pointermove", (event) => {
  if (from === null) {
    if (!held) tell(under(event));
    return;
  }
  const dx = event.clientX - from[0], dy = event.clientY - from[1];
  if (!moved && Math.hypot(dx, dy) < 4) return;
  moved = true;
  left -= dx / (scale * (wide - 2 * EDGE));
  top0 -= dy / (scale * (wide - 2 * EDGE));
  from = [event.clientX, event.clientY];
  draw();
});
map.addEventListener("pointerup", (event) => {
  if (from !== null && !moved) {
    const at = under(event);
    held = at >= 0 && !(held && at === current);
    tell(at);
  }
  from = null;
});
map.addEventListener("wheel", (event) => {
  event.preventDefault();
  const box = map.getBoundingClientRect();
  zoom(1.0015 ** -event.deltaY, event.clientX - box.left, event.clientY - box.top);
}, { passive: false });
document.getElementById("closer").onclick = () => zoom(1.5);
document.getElementById("farther").onclick = () => zoom(1 / 1.5);
document.getElementById("whole").onclick = () => zoom(0);
document.getElementById("pictures")?.addEventListener("click", (event) => {
  withPictures = !withPictures;
  event.currentTarget.setAttribute("aria-pressed", withPictures);
  draw();
});
for (const button of document.querySelectorAll("[data-group]")) {
  button.onclick = () => {
    const own = Number(button.dataset.group);
    chosen = chosen === own ? -1 : own;
    for (const each of document.querySelectorAll("[data-group]"))
      each.setAttribute("aria-pressed", Number(each.dataset.group) === chosen);
    draw();
  };
}
window.addEventListener("resize", draw);
sheet.onload = draw;
if (data.sheet) sheet.src = data.sheet;
draw();
