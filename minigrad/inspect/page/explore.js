"use strict";
const data = JSON.parse(document.getElementById("data").textContent);
const byId = id => document.getElementById(id);
const state = { order: 0, step: 0, depth: data.pictures.length - 1, focus: null, timer: null };

const walk = () => data.walks[state.order];
const current = () => walk().steps[state.step];

function element(tag, text, className) {
  const made = document.createElement(tag);
  if (text !== undefined) made.textContent = text;
  if (className) made.className = className;
  return made;
}

// --- values ----------------------------------------------------------------------------------------------------------

function value(index) {
  const holder = element("div", undefined, "value");
  if (index === null) { holder.append(element("span", "nothing", "note")); return holder; }
  const one = data.arrays[index];
  if (one.parts) { one.parts.forEach((part, i) => { holder.append(element("div", `output ${i}`, "note"), value(part)); }); return holder; }
  if (one.rows) {
    const table = element("table");
    for (const row of one.rows) {
      const line = table.insertRow();
      for (const cell of row) line.insertCell().textContent = cell;
    }
    holder.append(table);
  }
  for (const image of one.images || []) holder.append(picture(image, one.height, one.width));
  const hidden = one.more ? `, ${one.more} more maps not drawn` : "";
  const colours = one.images ? " (red above 0, blue below)" : "";
  holder.append(element("div", `${one.size} ${one.dtype}, ${one.range}${colours}${hidden}`, "note"));
  return holder;
}

function picture(text, height, width) {
  const bytes = Uint8Array.from(atob(text), c => c.charCodeAt(0));
  const canvas = element("canvas");
  canvas.width = width; canvas.height = height;
  const scale = Math.max(1, Math.floor(110 / Math.max(width, height)));
  canvas.style.width = width * scale + "px"; canvas.style.height = height * scale + "px";
  const pixels = new ImageData(width, height);
  bytes.forEach((byte, i) => {
    const t = (byte - 128) / 127;
    pixels.data.set(t >= 0 ? [255 - 60 * t, 255 - 215 * t, 255 - 225 * t, 255] : [255 + 222 * t, 255 + 140 * t, 255 + 60 * t, 255], 4 * i);
  });
  canvas.getContext("2d").putImageData(pixels, 0, 0);
  return canvas;
}

// --- the picture -----------------------------------------------------------------------------------------------------

function boxOf(id) {
  for (const box of document.querySelectorAll("#picture .box"))
    if (box.dataset.nodes.split(" ").includes(String(id))) return box;
  return null;
}

function draw() {
  byId("picture").innerHTML = data.pictures[state.depth];
  const drawing = document.querySelector("#picture svg");
  drawing.style.setProperty("--tall", `${drawing.height.baseVal.value}px`);
  for (const box of document.querySelectorAll("#picture .box"))
    box.addEventListener("click", () => focusOn(Number(box.dataset.nodes.split(" ").pop())));
}

function mark() {
  const step = current(), visited = new Set(walk().steps.slice(0, state.step).map(s => s.node));
  const wrong = new Set(walk().steps.slice(0, state.step + 1).filter(s => s.wrong).map(s => s.node));
  for (const box of document.querySelectorAll("#picture .box")) {
    const ids = box.dataset.nodes.split(" ").map(Number);
    box.classList.toggle("here", ids.includes(step.node));
    box.classList.toggle("done", !ids.includes(step.node) && ids.every(id => visited.has(id)));
    box.classList.toggle("waiting", ids.some(id => step.heap.includes(id)));
    box.classList.toggle("wrong", ids.some(id => wrong.has(id)));
  }
  const here = boxOf(step.node);
  for (const edge of document.querySelectorAll("#picture .edge")) {
    const hands = step.handed.filter(h => here && edge.dataset.to === here.id && boxOf(h.to) && edge.dataset.from === boxOf(h.to).id);
    edge.classList.toggle("active", hands.length > 0);
    edge.classList.toggle("lost", hands.some(h => h.lost));
  }
  if (here) {
    const frame = byId("picture"), a = frame.getBoundingClientRect(), b = here.getBoundingClientRect();
    if (b.top < a.top || b.bottom > a.bottom) frame.scrollTop += b.top - a.top - a.height / 2;
    if (b.left < a.left || b.right > a.right) frame.scrollLeft += b.left - a.left - a.width / 2;
  }
}

// --- the text --------------------------------------------------------------------------------------------------------

function chips(ids, empty) {
  const holder = element("div");
  ids.forEach(id => {
    const chip = element("button", `${data.nodes[id].label} #${id}`, "chip");
    chip.addEventListener("click", () => focusOn(id));
    holder.append(chip);
  });
  if (!ids.length) holder.append(element("span", empty, "note"));
  return holder;
}

function listed(names) {
  const shown = names.slice(0, 6).join(", ");
  return names.length > 6 ? `${shown} and ${names.length - 6} more` : shown;
}

function describe(node) {
  const parts = [element("h2", "node"), element("div", `${node.label}  [${node.size}]` + (node.module !== null ? `  in ${node.module || "the model"}` : ""))];
  if (node.place) parts.push(element("div", node.place, "where"));
  if (node.value !== null) parts.push(element("h2", "its value"), value(node.value));
  if (node.kept.length) {
    parts.push(element("h2", "kept for backward"));
    node.kept.forEach(kept => parts.push(element("div", `${kept.what}: ${kept.size} ${kept.dtype}, ${kept.shared ? "held elsewhere too" : kept.bytes.toLocaleString() + " bytes"}`)));
  }
  return parts;
}

function show() {
  const step = current(), node = data.nodes[step.node], box = byId("details");
  box.replaceChildren();
  if (walk().wrong.length && state.step === walk().steps.length - 1)
    box.append(element("p", `In this order the gradients of ${listed(walk().wrong)} came out wrong.`, "warning"));
  if (state.order && !walk().steps.some(s => s.wrong))
    box.append(element("p", "Here this order is right too: no result is used twice, so that nothing has to be added up before it is handed on.", "note"));
  if (state.focus !== null && state.focus !== step.node) {
    box.append(...describe(data.nodes[state.focus]));
    const back = element("button", "back to the step"); back.addEventListener("click", () => focusOn(null)); box.append(back);
    return;
  }
  box.append(...describe(node));
  box.append(element("h2", "the gradient that has arrived"), value(step.incoming));
  if (step.wrong) {
    const right = data.walks[0].steps.find(s => s.node === step.node);
    box.append(element("div", "This is not the gradient of this node: it was visited before all had arrived, or again.", "warning"));
    box.append(element("div", "the right one is", "note"), value(right.incoming));
  }
  if (node.leaf) box.append(element("div", "is added to .grad", "note"));
  for (const hand of step.handed) {
    const heading = element("h2", `to ${hand.input}`);
    box.append(heading);
    const line = element("div"), chip = element("button", `${data.nodes[hand.to].label} #${hand.to}`, "chip");
    chip.addEventListener("click", () => focusOn(hand.to));
    line.append(chip); if (hand.formula) line.append(element("code", hand.formula));
    box.append(line, value(hand.gradient));
    if (hand.lost) box.append(element("div", "comes too late: that node has been visited, so this is lost", "warning"));
    else if (hand.before !== null) {
      const sums = element("div", undefined, "sum");
      const before = element("div"), after = element("div");
      before.append(element("div", "was there already", "note"), value(hand.before)); after.append(element("div", "sum now", "note"), value(hand.after));
      sums.append(before, after); box.append(sums);
    }
  }
  if (step.freed) box.append(element("h2", "freed here"), element("div", `${step.freed.toLocaleString()} bytes`));
  box.append(element("h2", "waiting, the next one first"), chips(step.heap, "nothing: backward ends here"));
  if (node.code) { box.append(element("h2", "its rules")); box.append(element("pre", node.code)); }
}

function refresh() {
  byId("place").max = walk().steps.length - 1; byId("place").value = state.step;
  byId("count").textContent = `${state.step + 1} / ${walk().steps.length}`;
  mark(); show();
}

// --- controls --------------------------------------------------------------------------------------------------------

function go(step) { state.focus = null; state.step = Math.min(Math.max(step, 0), walk().steps.length - 1); refresh(); }
function focusOn(id) { stop(); state.focus = id; show(); }
function stop() { clearInterval(state.timer); state.timer = null; byId("play").textContent = "Play"; }
function play() {
  if (state.timer) { stop(); return; }
  if (state.step === walk().steps.length - 1) go(0);
  byId("play").textContent = "Pause";
  state.timer = setInterval(() => { if (state.step === walk().steps.length - 1) stop(); else go(state.step + 1); }, 900);
}
function choose(order) { stop(); state.order = order; byId("order").value = order; go(0); }
function collapse(depth) { state.depth = Math.min(Math.max(depth, 0), data.pictures.length - 1); byId("depth").value = state.depth; draw(); mark(); }

data.walks.forEach((one, i) => byId("order").append(new Option(one.title, i)));
if (data.absent) {
  const option = new Option(data.absent);
  option.disabled = true;
  byId("order").append(option);
}
data.depths.forEach((name, i) => byId("depth").append(new Option(name, i)));
byId("depth").hidden = data.depths.length < 2;
byId("back").addEventListener("click", () => { stop(); go(state.step - 1); });
byId("next").addEventListener("click", () => { stop(); go(state.step + 1); });
byId("play").addEventListener("click", play);
byId("place").addEventListener("input", event => { stop(); go(Number(event.target.value)); });
byId("order").addEventListener("change", event => choose(Number(event.target.value)));
byId("depth").addEventListener("change", event => collapse(Number(event.target.value)));
document.addEventListener("keydown", event => {
  if (event.target.tagName === "SELECT" || event.ctrlKey || event.metaKey || event.altKey) return;
  const acts = {
    ArrowRight: () => { stop(); go(state.step + 1); }, ArrowLeft: () => { stop(); go(state.step - 1); }, Home: () => go(0),
    End: () => go(walk().steps.length - 1), " ": play, "+": () => collapse(state.depth + 1), "-": () => collapse(state.depth - 1),
    Escape: () => focusOn(null),
  };
  const act = acts[event.key] || (data.walks[Number(event.key) - 1] && (() => choose(Number(event.key) - 1)));
  if (act) { event.preventDefault(); act(); }
});
collapse(state.depth);
byId("order").value = 0;
const wanted = new URLSearchParams(location.hash.slice(1));  // such as explore.html#order=2&step=3&depth=0
if (wanted.has("order")) choose(Number(wanted.get("order")) - 1);
if (wanted.has("depth")) collapse(Number(wanted.get("depth")));
go(Number(wanted.get("step") || 1) - 1);
document.body.dataset.ready = "yes";
