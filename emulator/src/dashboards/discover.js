// The stand-in for Discover. Records come from anywhere, so everything of theirs is put on the page as text, never as HTML.
"use strict";

const SIZE = 100;
const LIVE_MILLISECONDS = 2000;
const MOST_IN_A_WINDOW = 10000;
const MOST_SHOWN = 20000;

// Before the digits of a number that JavaScript would round. No record can hold it: it is made anew for each page.
const DIGITS = "digits-" + [...crypto.getRandomValues(new Uint32Array(4))].join("-") + ":";

const at = (id) => document.getElementById(id);
const zone = Intl.DateTimeFormat().resolvedOptions().timeZone || "local";
let patterns = [];
let asked = 0;
let size = SIZE;
let unfolded = new Map();
let timer;

function made(tag, className, text) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (text !== undefined) element.textContent = text;
  return element;
}

async function ask(path, body) {
  const headers = { "osd-xsrf": "true", "kbn-xsrf": "true" };
  const options = { headers, credentials: "same-origin", cache: "no-store" };
  if (body !== undefined) {
    headers["content-type"] = "application/json";
    Object.assign(options, { method: "POST", body: JSON.stringify(body) });
  }
  let response;
  try {
    response = await fetch("../" + path, options);
  } catch {
    throw new Error("the server does not answer: does it still run?");
  }
  const text = await response.text();
  let answer = null;
  try {
    answer = read(text);
  } catch {
    // What is no JSON is shown as it is.
  }
  if (!response.ok || answer === null) {
    const why = (answer && (answer.message || answer.Message)) || text.slice(0, 300) || "no answer";
    throw Object.assign(new Error(why), { status: response.status });
  }
  return answer;
}

// Reads JSON in which every number keeps its digits: one that is written otherwise than JavaScript would becomes a text.
function read(text) {
  return JSON.parse(text.replace(/"(?:[^"\\]|\\.)*"|-?[0-9][0-9.eE+-]*/g, (token) =>
    token[0] === '"' || String(Number(token)) === token ? token : JSON.stringify(DIGITS + token)));
}

// Writes JSON with the digits of `read`, and with no character that changes the direction of the text around it.
function written(value, indent) {
  return JSON.stringify(value, null, indent)
    .replaceAll(new RegExp(`"${DIGITS}([^"]*)"`, "g"), "$1")
    .replace(/[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/g, (one) => "\\u" + one.charCodeAt(0).toString(16).padStart(4, "0"));
}

// Dashboards and Kibana have search strategies and settings of different names.
async function eitherOf(paths, body) {
  let last;
  for (const path of paths) {
    try {
      return await ask(path, body);
    } catch (error) {
      if (error.status !== 404) throw error;
      last = error;
    }
  }
  throw last;
}

async function load() {
  const found = await ask("api/saved_objects/_find?type=index-pattern&per_page=1000&fields=title&fields=timeFieldName");
  patterns = found.saved_objects.map((one) => ({ id: one.id, title: one.attributes.title, time: one.attributes.timeFieldName }));
  patterns.sort((one, other) => one.title.localeCompare(other.title));
  const settings = await eitherOf(["api/opensearch-dashboards/settings", "api/kibana/settings"]);
  const fallback = settings.settings.defaultIndex && settings.settings.defaultIndex.userValue;
  const state = stateOfAddress();
  const wanted = [state.pattern, fallback].find((id) => patterns.some((one) => one.id === id));
  at("pattern").replaceChildren(...patterns.map((one) => {
    const option = made("option", "", one.title);
    option.value = one.id;
    option.selected = one.id === wanted;
    return option;
  }));
  at("query").value = state.query || "";
  if (state.range && [...at("range").options].some((option) => option.value === state.range)) at("range").value = state.range;
  if (state.from) at("from").value = state.from;
  if (state.to) at("to").value = state.to;
  showBetween();
  const isMissing = state.pattern && state.pattern !== wanted;
  at("warning").hidden = !isMissing;
  at("warning").textContent = isMissing ? "The address names an index pattern that is not here: " + state.pattern : "";
}

// `#/?_a=(index:'ID')` is what Dashboards' own addresses look like; the rest is this page's.
function stateOfAddress() {
  const text = location.hash.includes("?") ? location.hash.slice(location.hash.indexOf("?") + 1) : "";
  const parameters = new URLSearchParams(text);
  const index = /index:(?:'((?:[^'!]|!.)*)'|([^,()']+))/.exec(parameters.get("_a") || "");
  const id = index && (index[1] !== undefined ? index[1].replace(/!(.)/g, "$1") : index[2]);
  return {
    pattern: id || "", query: parameters.get("q"), range: parameters.get("range"),
    from: parameters.get("from"), to: parameters.get("to"),
  };
}

function keepStateInAddress() {
  const parameters = new URLSearchParams();
  const id = at("pattern").value;
  if (id) parameters.set("_a", "(index:'" + id.replace(/[!']/g, "!$&") + "')");
  if (at("query").value) parameters.set("q", at("query").value);
  parameters.set("range", at("range").value);
  if (at("range").value === "between") {
    if (at("from").value) parameters.set("from", at("from").value);
    if (at("to").value) parameters.set("to", at("to").value);
  }
  history.replaceState(null, "", "#/?" + parameters.toString());
}

function showBetween() {
  at("between").hidden = at("range").value !== "between";
}

function bounds() {
  const range = at("range").value;
  if (range === "all") return null;
  // As in Discover, nothing of the future is of the last minutes.
  if (range !== "between") return { gte: Date.now() - Number(range) * 60000, lte: Date.now() };
  const found = {};
  // A value without a zone is of the browser's own.
  if (at("from").value) found.gte = new Date(at("from").value).getTime();
  if (at("to").value) found.lte = new Date(at("to").value).getTime();
  return Object.keys(found).length ? found : null;
}

function bodyOf(pattern, limits, count) {
  const filter = [];
  const text = at("query").value.trim();
  if (text) filter.push({ query_string: { query: text, default_operator: "and", lenient: true } });
  if (pattern.time && limits) filter.push({ range: { [pattern.time]: { ...limits, format: "epoch_millis" } } });
  const body = { size: count, query: filter.length ? { bool: { filter } } : { match_all: {} } };
  if (pattern.time) body.sort = [{ [pattern.time]: { order: "desc", unmapped_type: "boolean" } }];
  return body;
}

const search = (pattern, body) =>
  eitherOf(["internal/search/opensearch", "internal/search/es"], { params: { index: pattern.title, body } });

// A search that nobody waits for, of a live page, changes nothing until it has an answer.
async function refresh(isPoll = false) {
  const mine = ++asked;
  clearTimeout(timer);
  const pattern = patterns.find((one) => one.id === at("pattern").value);
  if (!pattern) {
    at("status").textContent = "No index pattern";
    noRows();
    notice("", ["This domain has no index pattern yet.", "`ekk up --local` makes one, and a record makes the index."]);
    return;
  }
  keepStateInAddress();
  at("time-head").textContent = pattern.time ? `Time (${zone})` : "Time (the pattern has no time field)";
  if (!isPoll) {
    at("status").textContent = "Searching …";
    waiting(true);
  }
  try {
    const limits = bounds();
    if (limits && limits.gte > limits.lte) throw new Error("From is later than To, so no record can fit.");
    const answer = await search(pattern, bodyOf(pattern, limits, size));
    if (mine !== asked) return;
    const hits = answer.rawResponse.hits;
    const total = typeof hits.total === "object" ? hits.total.value : hits.total;
    rows(hits.hits, pattern);
    const shown = hits.hits.length;
    const count = `${total.toLocaleString("en")} record${total === 1 ? "" : "s"}`;
    at("status").textContent = shown < total ? `${count}, the newest ${shown.toLocaleString("en")} shown` : count;
    at("more").hidden = shown >= total || size >= MOST_IN_A_WINDOW;
    if (total > 0) {
      at("notice").hidden = true;
    } else {
      await sayWhyNothing(pattern, limits, mine);
    }
  } catch (error) {
    if (mine !== asked) return;
    const lines = [error.message];
    // The records of a live page stay as they are, unfolded or not: the next answer may come.
    if (!isPoll) noRows();
    const areThere = !at("records").hidden;
    at("status").textContent = areThere ? "Not searched: the records below are older" : "Not searched";
    if (/Text fields are not optimi[sz]ed/.test(error.message)) {
      lines.push(`The time field ${pattern.time} is text and not a date in an index of ${pattern.title}, so the records have no order.`);
    }
    notice("bad", lines);
  } finally {
    if (mine === asked) {
      waiting(false);
      if (at("live").checked) timer = setTimeout(refresh, LIVE_MILLISECONDS, true);
    }
  }
}

function waiting(isOn) {
  at("main").setAttribute("aria-busy", String(isOn));
}

// What was unfolded is again when the record comes back.
function noRows() {
  at("rows").replaceChildren();
  at("records").hidden = true;
  at("more").hidden = true;
}

async function sayWhyNothing(pattern, limits, mine) {
  const everything = { size: 1, query: { match_all: {} } };
  if (pattern.time) everything.sort = [{ [pattern.time]: { order: "desc", unmapped_type: "boolean" } }];
  const answer = await search(pattern, everything);
  if (mine !== asked) return;
  const [newest] = answer.rawResponse.hits.hits;
  if (!newest) {
    notice("", [`No record has arrived in ${pattern.title} yet.`, "Firehose delivers when the stream's buffer time is over."]);
    return;
  }
  const when = timeOf(newest, pattern);
  const lines = ["No record fits."];
  if (when) lines.push(`The newest of all is of ${local(when)}${when > Date.now() ? ", which is in the future" : ""}.`);
  const box = notice("", lines);
  if (limits || at("query").value.trim()) {
    const all = made("button", "", "Show all records");
    all.type = "button";
    all.addEventListener("click", () => {
      at("range").value = "all";
      at("query").value = "";
      showBetween();
      restart();
    });
    box.append(all);
  }
}

function notice(className, lines) {
  const box = at("notice");
  box.className = "notice " + className;
  box.replaceChildren(...lines.map((line) => made("p", "", line)));
  box.hidden = false;
  return box;
}

function timeOf(hit, pattern) {
  const key = pattern && pattern.time && hit.sort && hit.sort[0];
  return typeof key === "number" && Math.abs(key) < 8.64e15 ? new Date(key) : null;
}

function local(date) {
  const two = (number, width = 2) => String(number).padStart(width, "0");
  return `${two(date.getFullYear(), 4)}-${two(date.getMonth() + 1)}-${two(date.getDate())} ` +
    `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}.${two(date.getMilliseconds(), 3)}`;
}

function rows(hits, pattern) {
  const focused = document.activeElement && document.activeElement.dataset ? document.activeElement.dataset.record : undefined;
  const kept = new Map();
  at("rows").replaceChildren(...hits.flatMap((hit) => {
    const key = JSON.stringify([hit._index, hit._id]);
    if (unfolded.has(key)) kept.set(key, unfolded.get(key));
    return rowsOf(hit, pattern, key);
  }));
  unfolded = kept;
  at("records").hidden = hits.length === 0;
  if (focused) {
    const button = [...document.querySelectorAll(".fold button")].find((one) => one.dataset.record === focused);
    if (button) button.focus();
  }
}

function rowsOf(hit, pattern, key) {
  const fields = flattened(hit._source || {});
  const row = made("tr", "record");
  const fold = made("td", "fold");
  const button = made("button");
  button.type = "button";
  button.dataset.record = key;
  fold.append(button);
  const when = timeOf(hit, pattern);
  const written = pattern && pattern.time && hit._source ? hit._source[pattern.time] : undefined;
  row.append(fold, made("td", "time", when ? local(when) : shown(written === undefined ? "–" : written)), summary(fields, pattern));
  const whole = made("tr", "whole");
  const cell = made("td");
  cell.colSpan = 3;
  whole.append(cell);
  const fill = () => {
    const open = unfolded.has(key);
    button.setAttribute("aria-expanded", String(open));
    button.setAttribute("aria-label", open ? "Fold the record" : "Unfold the record");
    whole.hidden = !open;
    cell.replaceChildren(...(open ? contents(hit, fields, key, fill) : []));
  };
  const toggle = () => {
    if (!unfolded.delete(key)) unfolded.set(key, "fields");
    fill();
  };
  button.addEventListener("click", toggle);
  row.lastElementChild.addEventListener("click", () => {
    // A selection of text is no click.
    if (String(getSelection()) === "") toggle();
  });
  fill();
  return [row, whole];
}

function summary(fields, pattern) {
  const cell = made("td", "summary");
  const line = made("div", "line");
  cell.append(line);
  const known = new Set([pattern && pattern.time]);
  const level = ["levelname", "level", "severity"].find((name) => fields.has(name));
  if (level) {
    const word = shown(fields.get(level));
    known.add(level);
    line.append(made("span", "level " + toneOf(word), word));
  }
  const message = ["message", "msg"].find((name) => fields.has(name));
  if (message) {
    known.add(message);
    line.append(made("span", "message", shortened(shown(fields.get(message)))));
  }
  for (const [name, value] of fields) {
    if (known.has(name)) continue;
    line.append(made("span", "key", name), made("span", "value", shortened(shown(value))), " ");
  }
  return cell;
}

function toneOf(level) {
  if (/^(crit|fatal|err|alert|emerg)/i.test(level)) return "bad";
  if (/^warn/i.test(level)) return "warn";
  if (/^info|^notice/i.test(level)) return "good";
  return "quiet";
}

function contents(hit, fields, key, fill) {
  const tools = made("div", "tools");
  for (const [name, label] of [["fields", "Fields"], ["json", "JSON"]]) {
    const button = made("button", "", label);
    button.type = "button";
    button.setAttribute("aria-pressed", String(unfolded.get(key) === name));
    button.addEventListener("click", () => {
      unfolded.set(key, name);
      fill();
      [...document.querySelectorAll(".tools button[aria-pressed=true]")].at(-1)?.focus();
    });
    tools.append(button);
  }
  if (unfolded.get(key) === "json") return [tools, made("pre", "json", written(hit, 2))];
  const table = made("table", "fields");
  const body = made("tbody");
  table.append(body);
  for (const [name, value] of [...fields, ["_index", hit._index], ["_id", hit._id]]) {
    const row = made("tr");
    const head = made("th", "", name);
    head.scope = "row";
    const text = shown(value);
    row.append(head, made("td", "", text.length > MOST_SHOWN ? text.slice(0, MOST_SHOWN) + "… (see JSON)" : text));
    body.append(row);
  }
  return [tools, table];
}

// Objects in objects, as dotted names; a field's own name may be anything, `__proto__` included.
function flattened(source, prefix = "", into = new Map()) {
  for (const [name, value] of Object.entries(source)) {
    if (value !== null && typeof value === "object" && !Array.isArray(value) && Object.keys(value).length) {
      flattened(value, prefix + name + ".", into);
    } else {
      into.set(prefix + name, value);
    }
  }
  return into;
}

function shown(value) {
  if (typeof value !== "string") return written(value);
  return value.startsWith(DIGITS) ? value.slice(DIGITS.length) : value;
}
const shortened = (text) => (text.length > 300 ? text.slice(0, 300) + "…" : text);

function restart() {
  size = SIZE;
  refresh();
}

at("controls").addEventListener("submit", (event) => {
  event.preventDefault();
  restart();
});
at("pattern").addEventListener("change", () => {
  at("warning").hidden = true;
  restart();
});
at("range").addEventListener("change", () => {
  showBetween();
  if (at("range").value !== "between") restart();
});
at("live").addEventListener("change", () => refresh());
at("more").addEventListener("click", () => {
  size = Math.min(size * 4, MOST_IN_A_WINDOW);
  refresh();
});
addEventListener("hashchange", () => load().then(restart, failed));

function failed(error) {
  at("status").textContent = "Not loaded";
  notice("bad", [error.message]);
}

load().then(restart, failed);
