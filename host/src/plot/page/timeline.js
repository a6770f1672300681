// Bars of all requests on a canvas; zoom, move, values at the pointer.
const canvas = document.getElementById("bars");
const plot = document.getElementById("plot");
const values = document.getElementById("values");
const context = canvas.getContext("2d");
const DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-_";
const DIGIT_OF = Object.fromEntries([...DIGITS].map((digit, value) => [digit, value]));

// Each row: request, start and end in microseconds, and its bars as flat lists.
const rows = DATA.rows.map(([request, start, ttft, prompt, output, succeeded, text]) => {
  const numbers = [];
  let value = 0;
  let factor = 1;
  for (const digit of text) {
    const bits = DIGIT_OF[digit];
    value += (bits & 31) * factor;
    factor *= 32;
    if (bits < 32) {
      numbers.push(value);
      value = 0;
      factor = 1;
    }
  }
  const step = DATA.merged ? 3 : 1;
  const count = numbers.length / step;
  const ends = new Float64Array(count + 1);
  const kinds = new Uint8Array(count + 1);
  const gaps = new Float64Array(count + 1);
  const longest = new Float64Array(count + 1);
  ends[0] = start + ttft;
  for (let i = 0; i < count; i += 1) {
    const length = Math.floor(numbers[i * step] / 3);
    kinds[i + 1] = 1 + (numbers[i * step] % 3);
    ends[i + 1] = ends[i] + length;
    gaps[i + 1] = DATA.merged ? numbers[i * step + 1] : 1;
    longest[i + 1] = DATA.merged ? numbers[i * step + 2] : length;
  }
  return { request, start, prompt, output, succeeded, ends, kinds, gaps, longest };
});

const finish = rows.reduce((latest, row) => Math.max(latest, row.ends[row.ends.length - 1]), 1);
const whole = { from: 0, to: finish * 1.01, top: 0, bottom: Math.max(rows.length, 1) };
let view = { ...whole };
const LEFT = 84;
const BOTTOM = 46;
let size = { width: 0, height: 0 };

const clock = (microseconds) => {
  const milliseconds = Math.round(microseconds / 1000);
  const pad = (value, digits) => String(value).padStart(digits, "0");
  const seconds = Math.floor(milliseconds / 1000);
  return `${pad(Math.floor(seconds / 3600), 2)}:${pad(Math.floor(seconds / 60) % 60, 2)}:${pad(seconds % 60, 2)}.${pad(milliseconds % 1000, 3)}`;
};
const duration = (microseconds) => `${(microseconds / 1e6).toFixed(3)}s`;

const toX = (time) => LEFT + ((time - view.from) / (view.to - view.from)) * (size.width - LEFT);
const toTime = (x) => view.from + ((x - LEFT) / (size.width - LEFT)) * (view.to - view.from);
const rowHeight = () => (size.height - BOTTOM) / (view.bottom - view.top);
const toRow = (y) => view.top + y / rowHeight();

function resize() {
  const ratio = window.devicePixelRatio || 1;
  size = { width: plot.clientWidth, height: plot.clientHeight };
  canvas.width = Math.round(size.width * ratio);
  canvas.height = Math.round(size.height * ratio);
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  draw();
}

function niceStep(length, most) {
  const rough = length / most;
  const magnitude = 10 ** Math.floor(Math.log10(rough));
  return [1, 2, 5, 10].find((factor) => factor * magnitude >= rough) * magnitude;
}

function draw() {
  context.clearRect(0, 0, size.width, size.height);
  context.font = '12px Inter, "Helvetica Neue", Arial, sans-serif';
  context.fillStyle = "#262626";
  context.strokeStyle = "#e3e3e3";
  context.lineWidth = 1;
  const floor = size.height - BOTTOM;

  context.textAlign = "center";
  context.textBaseline = "top";
  const step = Math.max(1, niceStep(view.to - view.from, Math.max(2, Math.floor((size.width - LEFT) / 130))));
  for (let time = Math.ceil(view.from / step) * step; time <= view.to; time += step) {
    const x = Math.round(toX(time)) + 0.5;
    context.beginPath();
    context.moveTo(x, 0);
    context.lineTo(x, floor);
    context.stroke();
    if (x > LEFT - 1 && x < size.width - 36) context.fillText(clock(time), x, floor + 6);
  }
  context.fillText("Time", (LEFT + size.width) / 2, floor + 26);

  const height = rowHeight();
  // Where rows are thinner than a pixel, only as many are drawn as there are pixels.
  const stride = Math.max(1, Math.floor(1 / height));
  context.textAlign = "right";
  context.textBaseline = "middle";
  const labelEvery = Math.max(1, niceStep(18 / height, 1));
  const first = Math.max(0, Math.floor(view.top));
  const last = Math.min(rows.length, Math.ceil(view.bottom));
  context.save();
  context.beginPath();
  context.rect(LEFT, 0, size.width - LEFT, floor);
  context.clip();
  for (let at = first - (first % stride); at < last; at += stride) {
    if (at >= 0) drawRow(rows[at], (at - view.top) * height, height * stride);
  }
  context.restore();
  context.fillStyle = "#262626";
  for (let at = first - (first % labelEvery); at < last; at += labelEvery) {
    const y = (at - view.top + 0.5) * height;
    if (at >= 0 && y >= 0 && y < floor) context.fillText(`Req ${rows[at].request}`, LEFT - 8, Math.min(Math.max(Math.round(y), 6), floor - 6));
  }
  context.save();
  context.translate(10, floor / 2);
  context.rotate(-Math.PI / 2);
  context.textAlign = "center";
  context.fillText("Request ID", 0, 0);
  context.restore();

  context.strokeStyle = "#595959";
  context.beginPath();
  context.moveTo(LEFT - 0.5, 0);
  context.lineTo(LEFT - 0.5, floor + 0.5);
  context.lineTo(size.width, floor + 0.5);
  context.stroke();
}

// Bars thinner than half a pixel are gathered until they are as wide; the
// slowest of them gives the colour, so that no slow one gets lost.
function drawRow(row, y, height) {
  const gap = height > 4 ? Math.min(3, height * 0.15) : 0;
  const tall = Math.max(height - gap, 0.75);
  let from = row.start;
  let worst = 0;
  for (let i = 0; i < row.ends.length; i += 1) {
    const to = row.ends[i];
    worst = Math.max(worst, row.kinds[i]);
    const x = toX(from);
    const wide = toX(to) - x;
    if (wide < 0.5 && i + 1 < row.ends.length && row.kinds[i + 1] !== 0) continue;
    if (x + wide >= LEFT && x <= size.width) {
      context.fillStyle = DATA.colours[worst];
      context.fillRect(x, y + gap / 2, Math.max(wide, 0.5), tall);
    }
    from = to;
    worst = 0;
  }
  if (!row.succeeded) {
    const x = toX(row.ends[row.ends.length - 1]);
    context.fillStyle = "#000";
    context.fillRect(x, y, 2, Math.max(height, 1));
  }
}

function fit() {
  const minimum = { time: 50, rows: 1 };
  const wide = Math.min(Math.max(view.to - view.from, minimum.time), whole.to);
  const high = Math.min(Math.max(view.bottom - view.top, minimum.rows), whole.bottom);
  const from = Math.min(Math.max(view.from, 0), whole.to - wide);
  const top = Math.min(Math.max(view.top, 0), whole.bottom - high);
  view = { from, to: from + wide, top, bottom: top + high };
}

let waiting = false;
function redraw() {
  if (waiting) return;
  waiting = true;
  requestAnimationFrame(() => {
    waiting = false;
    draw();
  });
}

canvas.addEventListener("wheel", (event) => {
  event.preventDefault();
  const amount = event.deltaY || event.deltaX;
  const factor = Math.exp(Math.sign(amount) * Math.min(Math.abs(amount), 240) * 0.0015);
  if (event.shiftKey) {
    const middle = toRow(event.offsetY);
    view.top = middle - (middle - view.top) * factor;
    view.bottom = middle + (view.bottom - middle) * factor;
  } else {
    const middle = toTime(event.offsetX);
    view.from = middle - (middle - view.from) * factor;
    view.to = middle + (view.to - middle) * factor;
  }
  fit();
  redraw();
}, { passive: false });

let drag = null;
canvas.addEventListener("pointerdown", (event) => {
  drag = { x: event.offsetX, y: event.offsetY, view: { ...view } };
  canvas.setPointerCapture(event.pointerId);
});
canvas.addEventListener("pointerup", () => { drag = null; });
canvas.addEventListener("dblclick", () => {
  view = { ...whole };
  redraw();
});

canvas.addEventListener("pointermove", (event) => {
  if (drag !== null) {
    const time = ((event.offsetX - drag.x) / (size.width - LEFT)) * (drag.view.to - drag.view.from);
    const lines = (event.offsetY - drag.y) / rowHeight();
    view = { from: drag.view.from - time, to: drag.view.to - time, top: drag.view.top - lines, bottom: drag.view.bottom - lines };
    fit();
    values.hidden = true;
    redraw();
    return;
  }
  const row = event.offsetY < size.height - BOTTOM ? rows[Math.floor(toRow(event.offsetY))] : undefined;
  const time = toTime(event.offsetX);
  const slack = (view.to - view.from) / (size.width - LEFT);
  const end = row === undefined ? 0 : row.ends[row.ends.length - 1];
  if (row === undefined || event.offsetX < LEFT || time < row.start - slack || time > end + slack) {
    values.hidden = true;
    return;
  }
  let at = row.ends.findIndex((to) => time <= to);
  if (at < 0) at = row.ends.length - 1;
  const from = at === 0 ? row.start : row.ends[at - 1];
  const to = row.ends[at];
  const lines = [
    `Req ${row.request}`,
    `Type: ${DATA.names[row.kinds[at]]}`,
    `Start: ${clock(from)}`,
    `End: ${clock(to)}`,
    `Duration: ${duration(to - from)}`,
  ];
  if (row.gaps[at] > 1) lines.push(`Gaps: ${row.gaps[at]}, longest ${duration(row.longest[at])}`);
  lines.push(
    `Prompt Tokens: ${row.prompt}`,
    `Output Tokens: ${row.output}`,
    `Request Start Time: ${clock(row.start)}`,
    `Request End Time: ${clock(end)}`,
  );
  if (!row.succeeded) lines.push("Failed");
  values.replaceChildren(...lines.map((line) => {
    const element = document.createElement("div");
    element.textContent = line;
    return element;
  }));
  values.hidden = false;
  const left = event.offsetX + 16;
  const top = event.offsetY + 16;
  values.style.left = `${left + values.offsetWidth > size.width ? event.offsetX - values.offsetWidth - 12 : left}px`;
  values.style.top = `${Math.max(0, top + values.offsetHeight > size.height ? event.offsetY - values.offsetHeight - 12 : top)}px`;
});
canvas.addEventListener("pointerleave", () => { values.hidden = true; });

window.addEventListener("resize", resize);
resize();
