// The form of a profile: what the server says beside a field while somebody types is also told to the field.
document.addEventListener("htmx:oobAfterSwap", () => {
  for (const fault of document.querySelectorAll(".fault[id$='-fault']")) {
    const field = document.getElementById(fault.id.slice(0, -"-fault".length));
    if (!field) continue;
    if (fault.textContent) field.setAttribute("aria-invalid", "true");
    else field.removeAttribute("aria-invalid");
  }
});
