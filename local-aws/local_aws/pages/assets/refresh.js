// Keeps a page up to date: fetches it again and takes over the parts that changed, and nothing that is being typed.
"use strict";

const BUSY = 1000, QUIET = 4000;
const withoutTimes = (part) => part.outerHTML.replace(/<time[^>]*>[^<]*<\/time>/g, "");
const parts = (root) => new Map([...root.querySelectorAll("[data-part]")].map((part) => [part.dataset.part, part]));
// What the server last sent of each part: what a person did to it since is no change.
const sent = new Map([...parts(document)].map(([name, part]) => [name, withoutTimes(part)]));

function takeOver(old, part) {
  const fields = new Map([...old.querySelectorAll("textarea[id], input[id], select[id]")].map((field) => [field.id, field.value]));
  const focused = old.contains(document.activeElement) ? document.activeElement.id : "";
  const open = new Set([...old.querySelectorAll("details")].flatMap((each, at) => (each.open ? [at] : [])));
  const logs = [...old.querySelectorAll("pre.log")].map((log) => [log.scrollTop, log.scrollTop + log.clientHeight > log.scrollHeight - 30]);
  old.replaceWith(part);
  for (const field of part.querySelectorAll("textarea[id], input[id], select[id]")) {
    if (fields.has(field.id)) field.value = fields.get(field.id);
  }
  part.querySelectorAll("details").forEach((each, at) => { each.open = open.has(at); });
  part.querySelectorAll("pre.log").forEach((log, at) => { log.scrollTop = !logs[at] || logs[at][1] ? log.scrollHeight : logs[at][0]; });
  if (focused) document.getElementById(focused)?.focus();
}

async function refresh() {
  const answer = await fetch(location.pathname + location.search, { headers: { Accept: "text/html" } });
  if (!answer.ok) return;
  const fresh = parts(new DOMParser().parseFromString(await answer.text(), "text/html"));
  for (const [name, old] of parts(document)) {
    const part = fresh.get(name);
    if (!part) continue;
    const now = withoutTimes(part);
    if (sent.get(name) === now) {
      const times = part.querySelectorAll("time");
      old.querySelectorAll("time").forEach((time, at) => { if (times[at] && time.textContent !== times[at].textContent) time.replaceWith(times[at].cloneNode(true)); });
      continue;
    }
    sent.set(name, now);
    takeOver(old, document.adoptNode(part));
  }
}

function again() {
  const busy = document.getElementById("moving")?.dataset.moving === "yes";
  setTimeout(async () => {
    // A server that is away for a moment is asked again; what is shown stays.
    if (!document.hidden) await refresh().catch(() => {});
    again();
  }, busy ? BUSY : QUIET);
}

document.querySelectorAll("pre.log").forEach((log) => { log.scrollTop = log.scrollHeight; });
// A page that says why something was refused has nothing that could change.
if (sent.size > 1) again();
