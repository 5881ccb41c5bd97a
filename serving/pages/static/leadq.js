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
