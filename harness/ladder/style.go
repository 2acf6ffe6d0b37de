package ladder

// style is every drawing's. A page that embeds one overrides the variables, by any
// selector at all, or the classes, from .tcp-ladder on. A viewer that knows no variables
// shows the light colours.
const style = `<style>` +
	`:where(.tcp-ladder){--paper:#fff;--ink:#1f2328;--faint:#6e7781;--line:#8c959f;--client:#0969da;--server:#8250df;--cost:#cf222e;--wait:#ffebe9;--fold:#f3f4f6;--good:#1a7f37;--odd:#9a6700}` +
	`@media(prefers-color-scheme:dark){:where(.tcp-ladder){--paper:#0d1117;--ink:#e6edf3;--faint:#9198a1;--line:#6e7681;--client:#58a6ff;--server:#bc8cff;--cost:#ff7b72;--wait:#3c1618;--fold:#1b2129;--good:#3fb950;--odd:#d29922}}` +
	`.tcp-ladder{max-width:100%;height:auto}` +
	`.tcp-ladder text{font:11px ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace;fill:#1f2328;fill:var(--ink);stroke:#fff;stroke:var(--paper);stroke-width:3px;paint-order:stroke;stroke-linejoin:round}` +
	`.tcp-ladder .n,.tcp-ladder .f{font-family:system-ui,-apple-system,"Segoe UI","DejaVu Sans",sans-serif}` +
	`.tcp-ladder .p{fill:#fff;fill:var(--paper)}` +
	`.tcp-ladder .b{font-weight:600}` +
	`.tcp-ladder .h{font-size:14px;font-weight:600}` +
	`.tcp-ladder .t,.tcp-ladder .f{fill:#6e7781;fill:var(--faint)}.tcp-ladder .t{font-size:10px}` +
	`.tcp-ladder .e{text-anchor:end}.tcp-ladder .m{text-anchor:middle}` +
	`.tcp-ladder .bad{fill:#cf222e;fill:var(--cost)}.tcp-ladder .good{fill:#1a7f37;fill:var(--good)}.tcp-ladder .odd{fill:#9a6700;fill:var(--odd)}` +
	`.tcp-ladder path{fill:none;stroke:#8c959f;stroke:var(--line);stroke-width:1.5;stroke-linejoin:round}` +
	`.tcp-ladder .cs{stroke:#0969da;stroke:var(--client)}.tcp-ladder .ss{stroke:#8250df;stroke:var(--server)}` +
	`.tcp-ladder .cf{fill:#0969da;fill:var(--client)}.tcp-ladder .sf{fill:#8250df;fill:var(--server)}` +
	`.tcp-ladder .held{stroke-dasharray:3 3}` +
	`.tcp-ladder .x{stroke:#cf222e;stroke:var(--cost);stroke-width:2}` +
	`.tcp-ladder .o{fill:none;stroke:#9a6700;stroke:var(--odd);stroke-width:2}` +
	`.tcp-ladder .w{fill:#ffebe9;fill:var(--wait)}.tcp-ladder .g{fill:#f3f4f6;fill:var(--fold)}` +
	`.tcp-ladder .k{stroke:#fff;stroke:var(--paper);stroke-width:5}` +
	`.tcp-ladder .d{stroke:#9a6700;stroke:var(--odd);stroke-dasharray:6 3}` +
	`</style>`
