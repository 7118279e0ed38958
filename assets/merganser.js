// What pages gain where scripts run: keys, live progress, uploads with their progress, the viewer's time zone.
// Nothing here is needed: every page works as plain forms and links.
"use strict";
(() => {
  const one = (selector, root = document) => root.querySelector(selector);
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const page = document.body.dataset.page;
  // The words are the page's own, in the catalogue with all others.
  const say = (name, holes = {}) =>
    Object.entries(holes).reduce((text, [hole, value]) => text.replace(`{${hole}}`, value), document.body.getAttribute(`data-say-${name}`) || "");

  // Times: the viewer's zone, UTC on hover.
  for (const time of all("time[datetime]")) {
    const at = new Date(time.dateTime);
    if (!Number.isNaN(at.valueOf())) {
      time.textContent = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" }).format(at);
    }
  }
  const zone = one("[data-zone]");
  const here = Intl.DateTimeFormat().resolvedOptions().timeZone;
  if (zone) zone.textContent = here === "UTC" ? say("utc") : say("zone", { zone: here });

  // Single-letter keys can be switched off (WCAG 2.1.4).
  const stored = (name, value) => {
    try {
      if (value === undefined) return localStorage.getItem(name);
      localStorage.setItem(name, value);
    } catch { /* Storage may be forbidden; the keys stay on then. */ }
    return null;
  };
  const off = one("[data-keys-off]");
  if (off) {
    off.checked = stored("keys") === "off";
    off.addEventListener("change", () => stored("keys", off.checked ? "off" : "on"));
  }

  const help = async () => {
    let dialog = one("dialog[data-help]");
    if (!dialog) {
      const answer = await fetch("/keys");
      const keys = one("[data-keys]", new DOMParser().parseFromString(await answer.text(), "text/html"));
      dialog = document.createElement("dialog");
      dialog.dataset.help = "";
      dialog.setAttribute("aria-labelledby", "help-title");
      const title = document.createElement("h2");
      title.id = "help-title";
      title.textContent = say("keys");
      const form = document.createElement("form");
      form.method = "dialog";
      form.className = "actions";
      const close = document.createElement("button");
      close.textContent = say("close");
      close.autofocus = true;
      form.append(close);
      dialog.append(title, keys ? keys.firstElementChild : "", form);
      document.body.append(dialog);
    }
    dialog.showModal();
  };

  const records = all("[data-record]");
  let at = -1;
  const move = (by) => {
    if (!records.length) return;
    at = Math.max(0, Math.min(records.length - 1, at + by));
    const box = one("input[type=checkbox]", records[at]) || one("a", records[at]);
    box.focus();
    box.scrollIntoView({ block: "center" });
  };
  const paint = (record) => {
    const box = one("input[type=checkbox]", record);
    if (box) all("tr", record).forEach((row) => row.classList.toggle("on", box.checked));
  };
  records.forEach((record, position) => {
    record.addEventListener("focusin", () => { at = position; });
    record.addEventListener("change", () => paint(record));
    paint(record);
  });
  const tick = () => {
    if (at < 0) move(1);
    const box = records[at] && one("input[type=checkbox]", records[at]);
    if (box) { box.checked = !box.checked; paint(records[at]); }
  };

  const press = (key) => {
    const found = one(`[data-key="${key}"]`);
    if (found) found.click();
    return Boolean(found);
  };
  const fields = () => {
    const first = one("[data-field] input[type=radio]:checked") || one("[data-field] input[type=radio]");
    if (first) first.focus();
  };
  const own = () => {
    const near = document.activeElement && document.activeElement.closest("[data-field]");
    const input = (near && one("[data-own]", near)) || one("[data-own]");
    if (input) input.focus();
  };
  const places = { h: "/", b: "/backups", a: "/analyses", l: "/history", s: "/schedules" };
  let going = 0;
  document.addEventListener("keydown", (event) => {
    if (event.repeat || event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
    const field = event.target.closest && event.target.closest("input, select, textarea");
    const typing = field && !["checkbox", "radio", "submit", "button"].includes(field.type);
    if (event.key === "Escape") {
      if (one("dialog[open]")) return;
      if (field) field.blur();
      else {
        const up = all(".crumbs a").pop();
        if (up) up.click();
      }
      return;
    }
    if (typing || one("dialog[open]") || stored("keys") === "off") return;
    if (going && Date.now() - going < 1500 && places[event.key]) {
      going = 0;
      location.assign(places[event.key]);
      return;
    }
    going = 0;
    let done = true;
    switch (event.key) {
      case "?": help(); break;
      case "/": { const search = one("[data-search]"); if (search) search.focus(); else done = false; break; }
      case "g": going = Date.now(); break;
      case "j": if (!press("j")) move(1); break;
      case "k": if (!press("k")) move(-1); break;
      case "J": tick(); move(1); tick(); break;
      case "x": tick(); break;
      case "f": fields(); break;
      case "e": own(); break;
      case "a": if (!press("a")) { const button = one(".deciding button"); if (button) button.focus(); } break;
      case "b": case "c": case "s": case "u": case "]":
        if (!press(event.key)) done = false;
        break;
      case "Enter":
        if (field && field.type === "radio" && one("[data-key-save]")) one("[data-key-save]").click();
        else if (field && field.type === "checkbox" && records[at]) { const link = one("a", records[at]); if (link) link.click(); }
        else done = false;
        break;
      default: done = false;
    }
    if (done) event.preventDefault();
  });

  // A value of one's own chooses itself.
  for (const input of all("[data-own]")) {
    input.addEventListener("input", () => {
      const radio = one("input[type=radio][value=value]", input.closest("[data-field]"));
      if (radio) radio.checked = true;
    });
  }

  // A form is sent once.
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (form.method === "dialog" || form.dataset.sent) { if (form.dataset.sent) event.preventDefault(); return; }
    if (form.method === "post") form.dataset.sent = "1";
  });
  window.addEventListener("pageshow", () => all("form[data-sent]").forEach((form) => delete form.dataset.sent));

  // Uploads: dropping a file, and how far it has come.
  const upload = one("form[data-upload]");
  if (upload) {
    const drop = one(".drop", upload), input = one("input[type=file]", upload), said = one("[data-progress]", upload);
    one("[data-drop-hint]", upload).hidden = false;
    for (const name of ["dragover", "dragleave", "drop"]) {
      drop.addEventListener(name, (event) => {
        event.preventDefault();
        drop.classList.toggle("over", name === "dragover");
        if (name === "drop" && event.dataTransfer.files.length) input.files = event.dataTransfer.files;
      });
    }
    upload.addEventListener("submit", (event) => {
      if (event.defaultPrevented || !input.files.length) return;
      event.preventDefault();
      const request = new XMLHttpRequest();
      request.open("POST", upload.action);
      request.upload.addEventListener("progress", (sent) => {
        if (sent.lengthComputable) said.textContent = say("sent", { percent: Math.floor((sent.loaded / sent.total) * 100) });
      });
      request.upload.addEventListener("load", () => { said.textContent = say("read"); });
      request.addEventListener("load", () => {
        if (request.status < 400) { location.assign(request.responseURL); return; }
        document.open(); document.write(request.responseText); document.close();
      });
      request.addEventListener("error", () => { delete upload.dataset.sent; said.textContent = say("lost"); });
      request.send(new FormData(upload));
    });
  }

  // Progress: what the service says, never a guess. The page is read anew when a phase begins and at the end.
  const run = one("[data-operation]");
  if (run) {
    const bar = one("[data-bar]", run), status = one("[data-status]", run), elapsed = one("[data-elapsed]", run);
    const begun = Date.now();
    const already = Number(elapsed.dataset.elapsed) || 0;
    setInterval(() => {
      const seconds = already + Math.floor((Date.now() - begun) / 1000);
      elapsed.textContent = seconds < 90 ? say("seconds", { n: seconds }) : say("minutes", { n: Math.floor(seconds / 60) });
    }, 1000);
    let said = 0, heard = null;
    // What is read aloud comes at most every five seconds; numbers for the eye come as they are.
    const tell = (text) => {
      one("[data-detail]", run).textContent = text;
      if (Date.now() - said < 5000) return;
      said = Date.now();
      status.textContent = text;
    };
    const show = (event) => {
      let now;
      try { now = JSON.parse(event.data); } catch { return; }
      if (event.type === "phase") {
        let passed = true;
        for (const item of all("[data-phase]", run)) {
          const here = item.dataset.phase === now.phase;
          if (here) passed = false;
          item.className = here ? "now" : passed ? "done" : "";
        }
        bar.toggleAttribute("hidden", true);
        heard = null;
      }
      if (event.type === "progress") {
        const known = Number(now.total) > 0;
        bar.toggleAttribute("hidden", !known);
        if (known) one("rect", bar).setAttribute("width", Math.min(100, (now.done / now.total) * 100).toFixed(1));
        const number = new Intl.NumberFormat().format;
        if (!heard || heard.table !== now.table) heard = { table: now.table, done: now.done, at: Date.now() };
        const seconds = (Date.now() - heard.at) / 1000;
        const speed = seconds > 1 ? ", " + say("speed", { n: number(Math.round((now.done - heard.done) / seconds)) }) : "";
        const counted = { table: now.table, done: number(now.done), total: known ? number(now.total) : "" };
        tell(say(known ? "records-of" : "records", counted) + speed);
      }
    };
    const source = new EventSource(run.dataset.events);
    for (const name of ["phase", "progress", "table", "warning"]) source.addEventListener(name, show);
    source.addEventListener("result", () => { source.close(); location.reload(); });
    // Where events don't come through, the page asks.
    setInterval(async () => {
      const answer = await fetch(location.href, { redirect: "follow" }).catch(() => null);
      if (!answer) return;
      const now = one("[data-operation]", new DOMParser().parseFromString(await answer.text(), "text/html"));
      if (!now) { source.close(); location.reload(); }
    }, 1500);
  }
  if (page === "table" && location.hash) { const to = one(location.hash); if (to) to.focus(); }
})();
