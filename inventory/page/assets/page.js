// What the page does beyond HTML: filters apply as they are changed, empty fields
// stay out of the URL, "/" goes to the search field, and times show the viewer's
// own clock. Everything works without it too.
"use strict";

for (const form of document.querySelectorAll("form.filter")) {
	const send = () => {
		for (const field of form.elements) {
			if ((field.tagName === "INPUT" || field.tagName === "SELECT") && field.type !== "checkbox" && field.value === "") {
				field.disabled = true;
			}
		}
	};
	form.addEventListener("submit", send);
	form.addEventListener("change", (event) => {
		if (event.target.matches("select, input[type=checkbox]")) {
			form.requestSubmit();
		}
	});
	// A page that comes back from the history has its fields enabled again.
	window.addEventListener("pageshow", () => {
		for (const field of form.elements) {
			field.disabled = false;
		}
	});
}

document.addEventListener("keydown", (event) => {
	const search = document.getElementById("search");
	if (event.key !== "/" || !search || event.ctrlKey || event.metaKey || event.altKey || event.target.matches("input, select, textarea")) {
		return;
	}
	event.preventDefault();
	search.focus();
});

for (const time of document.querySelectorAll("time[datetime]")) {
	const moment = new Date(time.dateTime);
	if (!Number.isNaN(moment.getTime())) {
		time.title = time.dateTime + " · here: " + moment.toLocaleString();
	}
}
