// Keeps the clocks running, the queue fresh and the claim alive. Without it the page works, just stiller.
"use strict";

const queue = document.getElementById("queue");
const form = document.getElementById("answer");
const text = document.getElementById("text");

function clocks() {
  for (const clock of document.querySelectorAll("[data-due]")) {
    const left = (Number(clock.dataset.due) - Date.now()) / 1000;
    const all = Math.floor(Math.abs(left));
    const two = (n) => String(n).padStart(2, "0");
    const hours = Math.floor(all / 3600);
    const minutes = Math.floor(all / 60) % 60;
    const time = hours ? `${hours}:${two(minutes)}:${two(all % 60)}` : `${minutes}:${two(all % 60)}`;
    clock.textContent = (left < 0 ? queue.dataset.late : queue.dataset.left).replace("%", time);
    clock.classList.toggle("late", left < 0);
    clock.classList.toggle("soon", left >= 0 && left < 120);
  }
}

async function refresh() {
  if (document.hidden) return;
  try {
    const answer = await fetch(queue.dataset.source, { redirect: "error" });
    if (!answer.ok) return;
    const html = await answer.text();
    const fresh = new DOMParser().parseFromString(html, "text/html").body;
    // Compare without the clocks: replacing rows takes the keyboard's focus away.
    const plain = (node) => {
      const copy = node.cloneNode(true);
      copy.querySelectorAll("[data-due]").forEach((clock) => clock.remove());
      return copy.innerHTML.replace(/\s+/g, " ").trim();
    };
    if (plain(fresh) !== plain(queue)) {
      const focused = queue.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
      queue.replaceChildren(...fresh.childNodes);
      document.getElementById("count").textContent = queue.querySelectorAll(".row").length;
      if (focused) queue.querySelector(`a[href="${CSS.escape(focused)}"]`)?.focus();
    }
    clocks();
  } catch {
    // The server is away for a moment; the next round asks again.
  }
}

async function renew() {
  try {
    await fetch(form.dataset.renew, { method: "POST", redirect: "error" });
  } catch {
    // Sending checks the claim again anyway.
  }
}

function label() {
  const send = document.getElementById("send");
  if (!send || !text) return;
  const words = text.value.trim() === original.trim() && original.trim() !== "" ? text.dataset.approve : text.dataset.edited;
  send.firstChild.textContent = `${words} `;
}

const original = text ? text.dataset.draft : "";
text?.addEventListener("input", label);
label();

document.querySelectorAll("[data-submit]").forEach((field) =>
  field.addEventListener("change", () => field.form.submit()));

document.addEventListener("keydown", (event) => {
  if (event.isComposing || event.keyCode === 229) return; // an input method is at work: its Enter is not ours
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && document.activeElement === text) {
    event.preventDefault();
    document.getElementById("send")?.click();
  }
  if (event.ctrlKey || event.metaKey || event.altKey || /^(INPUT|TEXTAREA|SELECT)$/.test(document.activeElement?.tagName)) return;
  if (event.key === "c") document.querySelector("[data-key=c]")?.click();
});

form?.addEventListener("submit", () => {
  // A second press before the answer comes must not send again (the server would refuse it anyway).
  setTimeout(() => form.querySelectorAll("button").forEach((button) => { button.disabled = true; }), 0);
});

const talk = document.getElementById("talk");
if (talk) talk.scrollTop = talk.scrollHeight;
clocks();
setInterval(clocks, 1000);
setInterval(refresh, 4000);
if (form?.dataset.renew) setInterval(renew, Number(form.dataset.every) * 1000);
