// Accuracy by class and the matrix of confusions of one method on one dataset at one size, summed over its seeds.
const nameOf = (one) => `${labels[one.method] ?? one.method} on ${one.shown}, ${one.size}/class, preset ${one.preset}`;
const sumOf = (row) => row.reduce((sum, count) => sum + count, 0);

// Those that agree with the filters stand in the list; the one that was chosen stays where it still does.
function listClasses(wanted) {
  const list = byId("classes-of");
  if (!list) return;
  const kept = confusions.map((one, at) => [one, at]).filter(([one]) => agrees(one, wanted)), before = list.value;
  list.replaceChildren(...kept.map(([one, at]) => element("option", nameOf(one), { value: at })));
  if (kept.some(([, at]) => String(at) === before)) list.value = before;
  byId("classes").hidden = !kept.length;
  if (kept.length) drawClasses();
}

function drawClasses() {
  const one = confusions[Number(byId("classes-of").value)], table = byId("class-table");
  byId("classes-told").textContent = `seeds ${one.seeds.join(", ")}; ${one.counts.length} classes`;
  table.tBodies[0].replaceChildren(...one.counts.map((row, at) => classRow(one, row, at)).filter(Boolean));
  nameCells(table);
  byId("confusion").replaceChildren(drawMatrix(one));
}

function classRow(one, row, at) {
  const all = sumOf(row), made = document.createElement("tr");
  if (!all) return null;
  const others = row.map((count, said) => (said === at ? 0 : count)), most = Math.max(...others);
  const wrong = most ? `${one.names[others.indexOf(most)]} (${((100 * most) / all).toFixed(1)}%)` : "";
  made.append(element("td", one.names[at], { class: "name" }), element("td", ((100 * row[at]) / all).toFixed(2)),
    element("td", String(all)), element("td", wrong, { class: "name" }));
  return made;
}

function drawMatrix({ counts, names }) {
  const side = 400 / counts.length, made = shape("svg", { viewBox: "0 0 400 400", role: "img", "aria-label": "confusions" });
  counts.forEach((row, i) => row.forEach((count, j) => {
    if (!count) return;
    const share = count / sumOf(row), cell = shape("rect", { x: j * side, y: i * side, width: side, height: side, "fill-opacity": share.toFixed(3) });
    if (counts.length <= 30) cell.append(shape("title", {}, `${names[i]} taken for ${names[j]}: ${count} (${(100 * share).toFixed(1)}%)`));
    made.append(cell);
    if (counts.length <= 12) made.append(shape("text", { x: (j + 0.5) * side, y: (i + 0.5) * side + 4, "text-anchor": "middle", class: share > 0.5 ? "on" : "" }, String(count)));
  }));
  made.append(shape("path", { d: "M0 0H400V400H0z", class: "axis" }));
  return made;
}
