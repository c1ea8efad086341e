const tip = document.getElementById("tip");
document.addEventListener("pointermove", (event) => {
  const text = event.target instanceof Element && event.target.getAttribute("data-tip");
  tip.style.display = text ? "block" : "none";
  if (!text) return;
  tip.textContent = text;
  const left = Math.min(event.clientX + 14, innerWidth - tip.offsetWidth - 8);
  const top = event.clientY - tip.offsetHeight - 12;
  tip.style.left = `${Math.max(left, 8)}px`;
  tip.style.top = `${top < 8 ? event.clientY + 18 : top}px`;
});
addEventListener("beforeprint", () => {
  for (const part of document.querySelectorAll("details")) part.open = true;
});
// A station has the samples behind a count; where there is none, the count has the command's title.
if (/^http.*\/runs\/[^/]+\/report\.html$/.test(location.origin + location.pathname)) {
  for (const count of document.querySelectorAll("a[data-samples]")) {
    count.href = count.dataset.samples;
    count.title = "Read these samples";
  }
}
