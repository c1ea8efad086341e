const tip = document.getElementById("tip");
const show = (event) => {
  const text = event.target instanceof Element && event.target.getAttribute("data-tip");
  tip.style.display = text ? "block" : "none";
  if (!text) return;
  tip.textContent = text;
  const left = Math.min(event.clientX + 14, innerWidth - tip.offsetWidth - 8);
  const top = event.clientY - tip.offsetHeight - 12;
  tip.style.left = `${Math.max(left, 8)}px`;
  tip.style.top = `${top < 8 ? event.clientY + 18 : top}px`;
};
// A finger has no place to hover: it taps.
for (const kind of ["pointermove", "pointerdown"]) document.addEventListener(kind, show);
addEventListener("scroll", () => { tip.style.display = "none"; }, {capture: true, passive: true});
// What is wider than its place says so, and can be scrolled by keys.
// In the next frame: a class that changes a size within this one would be told of as a loop.
const watch = new ResizeObserver((entries) => requestAnimationFrame(() => {
  for (const {target} of entries) {
    const more = target.scrollWidth > target.clientWidth + 1 ||
      (target.matches("pre") && target.scrollHeight > target.clientHeight + 1);
    target.classList.toggle("more", more);
    if (more) {
      target.tabIndex = 0;
      target.setAttribute("role", "group");
      target.setAttribute("aria-label", `${target.dataset.title || "Text"}, can be scrolled`);
    } else for (const name of ["tabindex", "role", "aria-label"]) target.removeAttribute(name);
  }
}));
for (const box of document.querySelectorAll(".scroll, pre")) watch.observe(box);
addEventListener("beforeprint", () => {
  for (const part of document.querySelectorAll("details")) part.open = true;
});
// A station has the samples behind a count; where there is none, the count has the command's title.
if (/^http.*\/runs\/[^/]+\/report\.html$/.test(location.origin + location.pathname)) {
  for (const count of document.querySelectorAll("a[data-samples]")) {
    count.setAttribute("href", count.dataset.samples);  // of a bar the property cannot be set
    const bar = count.querySelector("[data-tip]");
    if (bar) count.setAttribute("aria-label", bar.dataset.tip);
    else count.title = "Read these samples";
  }
}
