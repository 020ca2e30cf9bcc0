// What comes from records is only ever set as textContent, as an attribute value, or as content of a downloaded file.
const find = (selector, within = document) => [...within.querySelectorAll(selector)];
const byId = (id) => document.getElementById(id);
const read = (id) => JSON.parse(byId(id).textContent);
const cells = read("cells"), sections = read("sections"), runs = read("runs"), confusions = read("confusions"), generators = read("generators"), labels = read("labels");

function element(tag, text, attributes = {}) {
  const made = document.createElement(tag);
  made.textContent = text;
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  return made;
}

const number = (value, digits) => (value === null ? "–" : value.toFixed(digits));
const unique = (values) => [...new Set(values)];
