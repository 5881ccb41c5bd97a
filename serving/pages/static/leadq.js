"use strict";
// What the pages do beyond HTML: keys for the queue, and a word where the service does not answer.

const notice = () => document.getElementById("notice");

function tell(text) {
  const line = document.createElement("p");
  line.className = "notice bad";
  line.textContent = text;
  notice().replaceChildren(line);
}

document.addEventListener("htmx:sendError", () => tell("The service does not answer; nothing was kept. Try again."));
document.addEventListener("htmx:timeout", () => tell("The service takes too long; look whether it was kept, and try again."));

// The queue by keyboard: j and k go through the leads, letters press what carries them.
const leads = () => [...document.querySelectorAll("article.lead")];

function chosen() {
  return document.activeElement?.closest("article.lead") ?? null;
}

function go(by) {
  const all = leads();
  const at = all.indexOf(chosen());
  const next = all[at < 0 ? 0 : Math.min(Math.max(at + by, 0), all.length - 1)];
  next?.focus();
  next?.scrollIntoView({ block: "nearest" });
}

function press(lead, key) {
  const found = lead?.querySelector(`[data-key="${CSS.escape(key)}"]`);
  if (!found) return false;
  found.click();
  found.parentElement.querySelector("input:not([type=hidden])")?.focus();
  return true;
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const on = event.target;
  if (on.matches("input, select, textarea")) {
    if (event.key !== "Escape") return;
    on.closest("details")?.removeAttribute("open");
    // From the choices above the list, Escape leads into it.
    (on.closest("article.lead") ?? leads()[0])?.focus();
    return;
  }
  if (event.key === "Enter" && !on.matches("article.lead")) return;
  if (event.key === "j" || event.key === "k") go(event.key === "j" ? 1 : -1);
  else if (event.key === "z") press(document.querySelector("article.done:focus") ?? last(), "z");
  else if (!press(chosen(), event.key)) return;
  event.preventDefault();
});

// The last lead that was answered, for z; who answers by keyboard stays where they were.
let answered = "";
const last = () => document.getElementById(answered);

document.addEventListener("htmx:beforeSwap", (event) => {
  const lead = event.detail.target?.closest?.("article.lead");
  if (lead) answered = lead.id;
});

document.addEventListener("htmx:afterSwap", () => {
  if (document.activeElement === document.body) document.getElementById(answered)?.focus();
});

// The page that is shown stands in sight of a narrow navigation.
document.querySelector(".top nav [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });

// A slider says at once what would be spent; what it would bring, the service says.
document.addEventListener("input", (event) => {
  const told = event.target.closest(".sliders label")?.querySelector("output");
  if (!told) return;
  const percent = Number(event.target.value);
  told.textContent = Math.round((Number(told.dataset.cost) * percent) / 100).toLocaleString("en");
  told.classList.toggle("moved", percent !== 100);
});
