// A table as a file: CSV and LaTeX as they came with the page, PNG as it stands on the screen.
const TYPES = { csv: "text/csv", tex: "application/x-tex" };

function save(blob, name) {
  const link = element("a", "", { href: URL.createObjectURL(blob), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}

function take(button) {
  const { take: form, of } = button.dataset, section = sections[of], name = `${section.name}-${section.preset}.${form}`;
  if (form === "png") picture(find("table.results", byId(of))[0]).toBlob((blob) => save(blob, name));
  else save(new Blob([section.files[form] + "\n"], { type: TYPES[form] }), name);
}

const lineTexts = (cell) => (cell.children.length ? find("span:not(.unit), small", cell).map((one) => one.textContent.trim()) : [cell.textContent.trim()]);

// A canvas with the rows of a table that are to be seen, at twice the pixels of a screen.
function picture(table) {
  const PAD = 8, LINE = 17, canvas = document.createElement("canvas"), pen = canvas.getContext("2d");
  const rows = [...table.rows].filter((row) => !row.hidden).map((row) => [...row.cells].filter((cell) => !cell.hidden));
  const texts = rows.map((row) => row.map((cell) => (cell.tagName === "TH" ? [cell.textContent] : lineTexts(cell))));
  const font = (cell) => `${cell.tagName === "TH" || cell.querySelector(".best") ? "bold " : ""}13px system-ui, sans-serif`;
  const wide = (cell, lines) => { pen.font = font(cell); return Math.max(0, ...lines.map((line) => pen.measureText(line).width)); };
  const widths = rows[0].map((_, at) => Math.ceil(Math.max(...rows.map((row, i) => wide(row[at], texts[i][at])))) + 2 * PAD);
  const heights = texts.map((row) => Math.max(...row.map((lines) => lines.length)) * LINE + 6);
  const sum = (values) => values.reduce((a, b) => a + b, 0);
  canvas.width = 2 * sum(widths), canvas.height = 2 * sum(heights);
  pen.scale(2, 2);
  rows.forEach((row, i) => row.forEach((cell, at) => {
    const style = getComputedStyle(cell), left = sum(widths.slice(0, at)), top = sum(heights.slice(0, i));
    for (const colour of [getComputedStyle(document.body).backgroundColor, style.backgroundColor]) {
      pen.fillStyle = colour;
      pen.fillRect(left, top, widths[at], heights[i]);
    }
    pen.strokeStyle = style.borderBottomColor;
    pen.strokeRect(left, top, widths[at], heights[i]);
    pen.font = font(cell), pen.fillStyle = style.color, pen.textBaseline = "middle";
    texts[i][at].forEach((line, number) => pen.fillText(line, left + PAD, top + 3 + LINE * (number + 0.5)));
  }));
  return canvas;
}
