// Small conveniences; every page works without them.
"use strict";
document.documentElement.classList.add("scripted");

// Buttons beside ids copy what their attribute holds.
document.addEventListener("click", (event) => {
  const button = event.target.closest("button[data-copy]");
  if (!button) return;
  navigator.clipboard.writeText(button.dataset.copy).then(() => {
    button.classList.add("copied");
    const said = document.getElementById("said");
    if (said) said.textContent = "Copied";
    setTimeout(() => button.classList.remove("copied"), 1500);
  });
});

// Menus close by Escape, and by a click beside them.
const menus = () => document.querySelectorAll("details.drop[open]");
document.addEventListener("click", (event) => {
  for (const menu of menus()) if (!menu.contains(event.target)) menu.open = false;
});
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  for (const menu of menus()) {
    menu.open = false;
    menu.querySelector("summary").focus();
  }
});
