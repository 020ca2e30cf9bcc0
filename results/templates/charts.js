// Small multiples as SVG: pairs of axes side by side, one legend below them, whose entries fade all other lines.
// A panel: {title, x, y, log, logY, mark, joined, lines: [{label, name, points: [{x, mean, std, published}]}]}.
const WIDTH = 330, HEIGHT = 220, LEFT = 46, RIGHT = 322, TOP = 20, BOTTOM = 182;
const COLOURS = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#8C6BB1", "#8A8D00"];
const MARKERS = ["M-3-3h6v6h-6z", "M0-4l4 7h-8z", "M0-4.5l4 4.5l-4 4.5l-4-4.5z", "M0 4l4-7h-8z", "M-3-3l6 6m0-6l-6 6"];
const looks = new Map();

// One look for a label, the same in every picture: no two of 40 share both colour and marker.
function look(label) {
  if (!looks.has(label)) {
    const at = looks.size;
    looks.set(label, { colour: COLOURS[at % COLOURS.length], marker: MARKERS[Math.floor(at / COLOURS.length + at) % MARKERS.length] });
  }
  return looks.get(label);
}

function shape(tag, attributes, text = "") {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.textContent = text;
  return made;
}

function steps(low, high) {
  const rough = (high - low || Math.abs(high) || 1) / 4, ten = 10 ** Math.floor(Math.log10(rough));
  const step = ten * [1, 2, 5, 10].find((one) => one * ten >= rough);
  const first = Math.ceil(low / step - 1e-9);
  return Array.from({ length: Math.max(Math.floor(high / step + 1e-9) - first + 1, 0) }, (_, i) => Number(((first + i) * step).toPrecision(12)));
}

function decades(low, high) {
  const powers = Array.from({ length: 30 }, (_, i) => 10 ** (i - 15));
  const few = high / low > 100 ? powers : powers.flatMap((power) => [power, 2 * power, 5 * power]);
  return few.filter((one) => one >= low * 0.999 && one <= high * 1.001);
}

// Where values lie between two pixels, and the ticks; names stand side by side.
function scale(values, from, to, log, exact) {
  if (values.some((value) => typeof value === "string")) {
    const places = unique(values);
    return { at: (value) => from + (to - from) * (places.indexOf(value) + 0.5) / places.length, ticks: places };
  }
  const turn = log ? Math.log : (value) => value;
  const low = Math.min(...values), high = Math.max(...values), span = turn(high) - turn(low) || 1;
  const at = (value) => from + (to - from) * (0.05 + 0.9 * (turn(value) - turn(low)) / span);
  const tens = log ? decades(low, high) : [], few = exact && unique(values).length < 9;
  const ticks = few ? unique(values) : tens.length > 2 ? tens : steps(low, high);
  return { at, ticks };
}

// The ends of means ± std, and what is published.
const ends = (points) => points.flatMap(({ mean, std, published }) => [mean === null ? null : mean + (std ?? 0), mean === null ? null : mean - (std ?? 0), published ?? null]);

function drawPanel(panel) {
  const points = panel.lines.flatMap((line) => line.points);
  const good = (value) => value !== null && (!panel.logY || value > 0);
  const heights = ends(points).filter(good);
  if (!heights.length) return null;
  const x = scale(points.filter((point) => good(point.mean) || good(point.published ?? null)).map((point) => point.x), LEFT, RIGHT, panel.log, true);
  const y = scale(heights, BOTTOM, TOP, panel.logY, false);
  const made = shape("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": `${panel.title}: ${panel.y} over ${panel.x}` });
  made.append(...axes(x, y, panel));
  const apart = (panel.joined ? 24 : 150 / x.ticks.length) / panel.lines.length;
  panel.lines.forEach((line, i) => {
    const aside = line.thin ? 0 : (i - (panel.lines.length - 1) / 2) * Math.min(apart, 9);
    made.append(drawLine(line, { at: (value) => x.at(value) + aside }, y, panel.joined, good));
  });
  const box = element("figure", "", { class: "panel" });
  box.append(element("figcaption", panel.title), made);
  return box;
}

function axes(x, y, panel) {
  const shapes = y.ticks.flatMap((tick) => [
    shape("path", { d: `M${LEFT} ${y.at(tick)}H${RIGHT}`, class: "grid" }),
    shape("text", { x: LEFT - 5, y: y.at(tick) + 3.5, "text-anchor": "end" }, String(tick))]);
  for (const tick of x.ticks) shapes.push(shape("text", { x: x.at(tick), y: BOTTOM + 14, "text-anchor": "middle" }, short(tick)));
  if (panel.mark !== null && panel.mark !== undefined) shapes.push(shape("path", { d: `M${x.at(panel.mark)} ${TOP}V${BOTTOM}`, class: "grid", "stroke-dasharray": "3 3" }));
  shapes.push(shape("path", { d: `M${LEFT} ${TOP}V${BOTTOM}H${RIGHT}`, class: "axis" }),
    shape("text", { x: (LEFT + RIGHT) / 2, y: HEIGHT - 6, "text-anchor": "middle" }, untexed(panel.x)),
    shape("text", { x: 4, y: 10 }, untexed(panel.y)));
  return shapes;
}

const untexed = (text) => text.replaceAll(/[$\\{}]/g, "");
const short = (tick) => (typeof tick === "number" ? (tick >= 10000 ? `${tick / 1000}k` : String(tick)) : tick.length > 18 ? `${tick.slice(0, 17)}…` : tick);

function drawLine(line, x, y, joined, good) {
  const { colour, marker } = look(line.label), group = shape("g", { "data-label": line.label, stroke: colour, color: colour });
  const path = (name) => line.points.map((one, i) => (good(one[name] ?? null) ? [i, x.at(one.x), y.at(one[name])] : null));
  const stroke = (places) => places.map((one, i) => (one ? `${i && places[i - 1] ? "L" : "M"}${one[1].toFixed(1)} ${one[2].toFixed(1)}` : "")).join("");
  const means = path("mean"), published = path("published");
  if (joined) {
    group.append(shape("path", { d: stroke(means), class: "line" }), shape("path", { d: stroke(published), class: "line published" }));
    if (line.thin) {
      group.classList.add("thin");
      group.append(shape("title", {}, line.name));
      return group;
    }
  }
  for (const [i, left, top] of published.filter(Boolean)) group.append(symbol(marker, left, top, true, `${line.label}, published: ${line.points[i].published}`));
  for (const [i, left, top] of means.filter(Boolean)) {
    const { mean, std } = line.points[i];
    if (std) group.append(shape("path", { d: `M${left} ${y.at(mean - std)}V${y.at(mean + std)}`, class: "spread" }));
    group.append(symbol(marker, left, top, false, `${line.label}: ${mean.toFixed(2)}${std === null ? "" : ` ± ${std.toFixed(2)}`}`));
  }
  return group;
}

function symbol(marker, left, top, hollow, title) {
  const made = shape("path", { d: marker, transform: `translate(${left.toFixed(1)} ${top.toFixed(1)})`, class: hollow ? "mark hollow" : "mark" });
  made.append(shape("title", {}, title));
  return made;
}

function swatch(label) {
  const { colour, marker } = look(label), made = shape("svg", { viewBox: "-12 -6 24 12", width: 24, height: 12 });
  const group = shape("g", { stroke: colour, color: colour });
  group.append(shape("path", { d: "M-11 0H11", class: "line" }), shape("path", { d: marker, class: "mark" }));
  made.append(group);
  return made;
}

function entry(label, picture, pressed, press) {
  const button = element("button", "", { type: "button", "aria-pressed": String(pressed) });
  button.append(...picture, element("span", label));
  button.addEventListener("click", () => press(button));
  return button;
}

function legend(chart, panels) {
  const box = element("p", "", { class: "legend" });
  for (const label of unique(panels.flatMap((panel) => panel.lines.map((line) => line.label)))) {
    const button = entry(label, [swatch(label)], false, (pressed) => emphasise(chart, pressed));
    button.dataset.legend = label;
    box.append(button);
  }
  return box;
}

function emphasise(chart, button) {
  button.setAttribute("aria-pressed", String(button.getAttribute("aria-pressed") !== "true"));
  const chosen = find("[data-legend][aria-pressed=true]", chart).map((one) => one.dataset.legend);
  for (const line of find("g[data-label]", chart)) line.classList.toggle("faded", chosen.length > 0 && !chosen.includes(line.dataset.label));
}

const isPublished = (panel) => panel.lines.some((line) => line.points.some((point) => (point.published ?? null) !== null));
const unpublished = (panel) => ({ ...panel, lines: panel.lines.map((line) => ({ ...line, points: line.points.map((point) => ({ ...point, published: null })) })) });

function drawChart(chart, panels, published) {
  const box = element("div", "", { class: "panels" }), shown = published ? panels : panels.map(unpublished);
  box.append(...shown.map(drawPanel).filter(Boolean));
  const below = legend(chart, panels);
  if (panels.some(isPublished)) below.append(entry("as published (hollow, dashed)", [], published, () => drawChart(chart, panels, !published)));
  chart.replaceChildren(...(box.childElementCount ? [box, below] : []));
}
