// The page can be read without this: it narrows the table down, shows a scenario over
// the page instead of far below it, and copies commands.
"use strict";
(() => {
  const byId = (id) => document.getElementById(id);
  const dialog = byId("shown"), place = byId("there");
  let shown = null, home = null, opener = null;

  const putBack = () => {
    if (shown) home.append(shown);
    shown = home = null;
  };
  const show = (id) => {
    const article = id && byId(id);
    if (!article || !article.matches("article[id]") || article === shown) return;
    putBack();
    [shown, home] = [article, article.parentElement];
    place.replaceChildren(article);
    dialog.setAttribute("aria-label", article.getAttribute("aria-label"));
    if (!dialog.open) {
      opener = document.activeElement;
      dialog.showModal();
    }
    dialog.scrollTop = 0;
    article.focus({ preventScroll: true });
  };
  const wanted = () => decodeURIComponent(location.hash.slice(1));
  const follow = () => show(wanted());
  dialog.addEventListener("close", () => {
    putBack();
    history.replaceState(null, "", location.pathname + location.search);
    if (opener && opener !== document.body) opener.focus();
  });
  dialog.addEventListener("click", (e) => { if (e.target === dialog) dialog.close(); });
  document.addEventListener("click", (e) => {
    const link = e.target.closest('a[href^="#"]');
    if (!link) return;
    const id = decodeURIComponent(link.hash.slice(1));
    if (!byId(id)?.matches("article[id]")) return;
    e.preventDefault();
    if (!dialog.open) opener = link.tabIndex < 0 ? link.closest("tr").querySelector("th a") : link;
    history.replaceState(null, "", "#" + id);
    if (!dialog.open) opener.focus({ preventScroll: true });
    show(id);
  });
  window.addEventListener("hashchange", follow);

  const rows = [...document.querySelectorAll(".grid tr[data-c]")];
  const step = (by) => {
    if (!shown) return;
    const visible = rows.filter((row) => !row.hidden);
    const at = visible.findIndex((row) => row.querySelector("a").hash === "#" + shown.id);
    const next = visible[at + by];
    if (!next) return;
    opener = next.querySelector("th a");
    history.replaceState(null, "", opener.hash);
    show(opener.hash.slice(1));
  };
  byId("back").addEventListener("click", () => step(-1));
  byId("on").addEventListener("click", () => step(1));
  dialog.addEventListener("keydown", (e) => {
    if (e.target.closest("pre, .scroll") || e.altKey || e.ctrlKey || e.metaKey) return;
    if (e.key === "ArrowLeft") step(-1);
    if (e.key === "ArrowRight") step(1);
  });

  const filters = byId("filters"), find = byId("find"), found = byId("found");
  const narrow = () => {
    const words = find.value.toLowerCase().split(/\s+/).filter(Boolean);
    const wanted = [...filters.querySelectorAll(":checked")].map((box) => box.value);
    let n = 0;
    for (const row of rows) {
      const name = row.textContent.toLowerCase(), changes = row.dataset.c.split(" ");
      row.hidden = !words.every((word) => name.includes(word)) || wanted.length > 0 && !wanted.some((c) => changes.includes(c));
      if (!row.hidden) n++;
    }
    for (const body of document.querySelectorAll(".grid tbody")) body.hidden = !body.querySelector("tr[data-c]:not([hidden])");
    found.textContent = n === rows.length ? "" : `${n} of ${rows.length}`;
  };
  filters.addEventListener("input", narrow);
  filters.addEventListener("submit", (e) => e.preventDefault());
  filters.hidden = false;

  if (navigator.clipboard) {
    for (const command of document.querySelectorAll(".command")) {
      const button = document.createElement("button");
      button.textContent = "copy";
      button.addEventListener("click", async () => {
        await navigator.clipboard.writeText(command.querySelector("code").textContent);
        button.textContent = "copied";
      });
      command.append(button);
    }
  }
  document.body.classList.add("script");
  follow();
})();
