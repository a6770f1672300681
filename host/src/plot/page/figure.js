// Values of the nearest point at the pointer, and a legend that switches curves.
const figure = document.getElementById("figure");
const picture = figure.querySelector("svg");
const values = document.getElementById("values");
const off = new Set();
const REACH = 60;

const ring = document.createElementNS(picture.namespaceURI, "circle");
ring.setAttribute("r", "8");
ring.setAttribute("fill", "none");
ring.setAttribute("stroke", "#262626");
ring.setAttribute("stroke-width", "1.5");
ring.style.display = "none";
picture.append(ring);

const shown = (levels) => !levels.some((level) => off.has(level));

picture.addEventListener("pointermove", (event) => {
  const box = picture.getBoundingClientRect();
  const scale = picture.viewBox.baseVal.width / box.width;
  const x = (event.clientX - box.left) * scale;
  const y = (event.clientY - box.top) * scale;
  let nearest = null;
  let least = REACH * REACH;
  for (const spot of DATA) {
    const distance = (spot.x - x) ** 2 + (spot.y - y) ** 2;
    if (distance < least && shown(spot.levels)) {
      nearest = spot;
      least = distance;
    }
  }
  if (nearest === null) return leave();
  ring.setAttribute("cx", nearest.x);
  ring.setAttribute("cy", nearest.y);
  ring.style.display = "";
  values.replaceChildren(...nearest.lines.map((line) => {
    const row = document.createElement("div");
    row.textContent = line;
    return row;
  }));
  values.hidden = false;
  const left = nearest.x / scale + 14;
  const top = nearest.y / scale + 14;
  const room = { x: box.width - values.offsetWidth, y: box.height - values.offsetHeight };
  values.style.left = `${Math.max(0, left > room.x ? left - values.offsetWidth - 28 : left)}px`;
  values.style.top = `${Math.max(0, top > room.y ? top - values.offsetHeight - 28 : top)}px`;
});

function leave() {
  values.hidden = true;
  ring.style.display = "none";
}
picture.addEventListener("pointerleave", leave);

for (const entry of picture.querySelectorAll(".entry")) {
  const level = entry.dataset.level;
  const toggle = () => {
    if (!off.delete(level)) off.add(level);
    entry.classList.toggle("off", off.has(level));
    entry.setAttribute("aria-pressed", String(!off.has(level)));
    for (const curve of picture.querySelectorAll(".curve")) {
      curve.classList.toggle("off", !shown(curve.dataset.levels.split(" ")));
    }
    leave();
  };
  entry.setAttribute("tabindex", "0");
  entry.setAttribute("role", "button");
  entry.setAttribute("aria-pressed", "true");
  entry.addEventListener("click", toggle);
  entry.addEventListener("keydown", (event) => {
    if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      toggle();
    }
  });
}
