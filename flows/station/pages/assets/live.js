// A page of a run that goes on shows what is new, unless its reader is in the middle of it.
const EVERY = 5000;
const pause = document.getElementById("pause");
const wanted = (live) => pause.getAttribute("aria-pressed") === "false" &&
  !live.contains(document.activeElement) && !document.hidden;
async function renew() {
  const live = document.getElementById("live");
  if (wanted(live)) {
    const reply = await fetch(location.href).catch(() => null);
    const text = reply && reply.ok ? await reply.text().catch(() => "") : "";
    const found = new DOMParser().parseFromString(text, "text/html").getElementById("live");
    if (found && wanted(live)) {  // who stopped it meanwhile keeps what is there
      live.replaceWith(found);
      for (const box of found.querySelectorAll(".scroll")) watch.observe(box);
    }
  }
  begin();
}
function begin() {
  const live = document.getElementById("live");
  if (pause) pause.hidden = !live || !("live" in live.dataset);
  if (pause && !pause.hidden) setTimeout(renew, EVERY);
}
if (pause) pause.addEventListener("click", () => {
  const stopped = pause.getAttribute("aria-pressed") === "true";
  pause.setAttribute("aria-pressed", String(!stopped));
});
begin();
