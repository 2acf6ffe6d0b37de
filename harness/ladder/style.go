package ladder

// style is every drawing's. A page that embeds one overrides the variables, by any
// selector at all, or the classes, from .exchange on. A viewer that knows no variables
// shows the light colours.
const style = `<style>` +
	`:where(.exchange){--paper:#fff;--ink:#1f2328;--faint:#6e7781;--line:#8c959f;--client:#0969da;--server:#8250df;--cost:#cf222e;--wait:#ffebe9;--fold:#f3f4f6;--good:#1a7f37;--odd:#9a6700}` +
	`@media(prefers-color-scheme:dark){:where(.exchange){--paper:#0d1117;--ink:#e6edf3;--faint:#9198a1;--line:#6e7681;--client:#58a6ff;--server:#bc8cff;--cost:#ff7b72;--wait:#3c1618;--fold:#1b2129;--good:#3fb950;--odd:#d29922}}` +
	`.exchange text{font:11px ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace;fill:#1f2328;fill:var(--ink);stroke:#fff;stroke:var(--paper);stroke-width:3px;paint-order:stroke;stroke-linejoin:round}` +
	`.exchange .n,.exchange .f{font-family:system-ui,-apple-system,"Segoe UI","DejaVu Sans",sans-serif}` +
	`.exchange .p{fill:#fff;fill:var(--paper)}` +
	`.exchange .b{font-weight:600}` +
	`.exchange .h{font-size:14px;font-weight:600}` +
	`.exchange .t,.exchange .f{fill:#6e7781;fill:var(--faint)}.exchange .t{font-size:10px}` +
	`.exchange .e{text-anchor:end}.exchange .m{text-anchor:middle}` +
	`.exchange .bad{fill:#cf222e;fill:var(--cost)}.exchange .good{fill:#1a7f37;fill:var(--good)}.exchange .odd{fill:#9a6700;fill:var(--odd)}` +
	`.exchange path{fill:none;stroke:#8c959f;stroke:var(--line);stroke-width:1.5;stroke-linejoin:round}` +
	`.exchange .cs{stroke:#0969da;stroke:var(--client)}.exchange .ss{stroke:#8250df;stroke:var(--server)}` +
	`.exchange .cf{fill:#0969da;fill:var(--client)}.exchange .sf{fill:#8250df;fill:var(--server)}` +
	`.exchange .held{stroke-dasharray:3 3}` +
	`.exchange .x{stroke:#cf222e;stroke:var(--cost);stroke-width:2}` +
	`.exchange .o{fill:none;stroke:#9a6700;stroke:var(--odd);stroke-width:2}` +
	`.exchange .w{fill:#ffebe9;fill:var(--wait)}.exchange .g{fill:#f3f4f6;fill:var(--fold)}` +
	`.exchange .k{stroke:#fff;stroke:var(--paper);stroke-width:5}` +
	`.exchange .d{stroke:#9a6700;stroke:var(--odd);stroke-dasharray:6 3}` +
	`</style>`
