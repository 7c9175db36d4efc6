// Runs before anything is drawn, so that no page flashes in the wrong colours.
"use strict";
try {
  const theme = localStorage.getItem("m31-theme");
  if (theme === "dark" || theme === "light") document.documentElement.dataset.theme = theme;
} catch {
  // A browser that keeps nothing follows the system's colours.
}
