"use strict";
(() => {
  // The theme is kept where the browser lets a file keep anything.
  function startTheme() {
    const choice = document.querySelector("#theme");
    const show = () => {
      if (choice.value) document.documentElement.dataset.theme = choice.value;
      else delete document.documentElement.dataset.theme;
    };
    try { choice.value = localStorage.getItem("theme") || ""; } catch { choice.value = ""; }
    choice.addEventListener("change", () => {
      show();
      try { localStorage.setItem("theme", choice.value); } catch { /* shown, not kept */ }
    });
    show();
    document.querySelector(".theme").hidden = false;
  }
  startTheme();
})();
