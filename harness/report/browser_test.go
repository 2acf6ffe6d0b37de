//go:build browser

package report

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

var pictures = flag.String("pictures", "", "the `DIR` for pictures of the page; none are kept without it")

// A browser is a page in Chromium, and what it did that a page of ours must not.
type browser struct {
	t   *testing.T
	ctx context.Context

	mu    sync.Mutex
	wrong []string
}

// open opens a run's page in a browser that has nothing of anyone's, and holds at the
// test's end that the page fetched nothing and complained of nothing.
func open(t *testing.T, r Run, fragment string) *browser {
	t.Helper()
	folder := t.TempDir()
	path := filepath.Join(folder, "gate.html")
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.WriteHTML(file, Beside{Folders: foldersOf(r)}); err != nil {
		t.Fatal(err)
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.NoSandbox, chromedp.DisableGPU, chromedp.UserDataDir(t.TempDir()), chromedp.Env("TMPDIR="+shortTempDir(t)),
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true),
	)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewExecAllocator(ctx, options...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	b := &browser{t: t, ctx: ctx}
	page := "file://" + path
	if err := chromedp.Listen(ctx, func(event any) { b.hear(event, page) }); err != nil {
		t.Fatal(err)
	}
	b.do(chromedp.EmulateViewport(1400, 1000), chromedp.Navigate(page+fragment))
	return b
}

// shortTempDir is a folder for what the browser, which is killed, does not remove. The path
// of a socket that is in it may be no longer than 108 octets (unix(7)).
func shortTempDir(t *testing.T) string {
	t.Helper()
	folder, err := os.MkdirTemp("", "browser-*")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(folder) })
	return folder
}

// hear takes note of requests for anything but the page, and of what a console shows.
func (b *browser) hear(event any, page string) {
	wrong := ""
	switch e := event.(type) {
	case *network.EventRequestWillBeSent:
		if url, _, _ := strings.Cut(e.Request.URL, "#"); url != page && !strings.HasPrefix(url, "data:") {
			wrong = "it fetched " + e.Request.URL
		}
	case *runtime.EventExceptionThrown:
		wrong = "its script failed: " + e.ExceptionDetails.Text
	case *runtime.EventConsoleAPICalled:
		wrong = fmt.Sprintf("it wrote to the console: %s", e.Type)
	case *log.EventEntryAdded:
		wrong = "the browser complains: " + e.Entry.Text
	}
	if wrong != "" {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.wrong = append(b.wrong, wrong)
	}
}

// noticed is what the page has done of that since it was asked the last time.
func (b *browser) noticed() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	wrong := b.wrong
	b.wrong = nil
	return wrong
}

// quiet holds that the page has done nothing of that.
func (b *browser) quiet() {
	b.t.Helper()
	for _, wrong := range b.noticed() {
		b.t.Error(wrong)
	}
}

func (b *browser) do(actions ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	if err := chromedp.Do(b.ctx, actions...); err != nil {
		b.t.Fatal(err)
	}
}

// ask evaluates an expression in the page.
func ask[T any](b *browser, expression string) T {
	b.t.Helper()
	answer, err := chromedp.Run(b.ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
	if err != nil {
		b.t.Fatal(err)
	}
	return answer
}

// want holds that an expression is true in the page.
func (b *browser) want(what, expression string) {
	b.t.Helper()
	if !ask[bool](b, expression) {
		b.t.Errorf("it is not so that %s: %s", what, expression)
	}
}

// headed holds that a scenario's heading is to be seen, below the buttons.
func (b *browser) headed() {
	b.t.Helper()
	b.want("the heading is not under the buttons",
		`document.querySelector("dialog h3").getBoundingClientRect().top >= document.querySelector("dialog form").getBoundingClientRect().bottom - 1`)
}

// soon waits until an expression is true in the page: a dialog says that it is closed
// when it has been for a while.
func (b *browser) soon(what, expression string) {
	b.t.Helper()
	if _, err := chromedp.Run(b.ctx, chromedp.Poll[bool](expression, chromedp.WithPollingTimeout(5*time.Second))); err != nil {
		b.t.Errorf("it does not come so that %s: %s: %v", what, expression, err)
	}
}

func (b *browser) theme(name string) {
	b.t.Helper()
	params := emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
		{Name: "prefers-color-scheme", Value: name}, {Name: "prefers-reduced-motion", Value: "reduce"},
	}}
	if _, err := chromedp.Call(b.ctx, emulation.SetEmulatedMedia, params); err != nil {
		b.t.Fatal(err)
	}
}

// keep takes a picture of what is to be seen.
func (b *browser) keep(name string) {
	b.t.Helper()
	png, err := chromedp.Run(b.ctx, chromedp.CaptureScreenshot())
	if err != nil {
		b.t.Fatal(err)
	}
	if *pictures == "" {
		return
	}
	if err := os.MkdirAll(*pictures, 0o755); err != nil {
		b.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(*pictures, name+".png"), png, 0o644); err != nil {
		b.t.Fatal(err)
	}
}

const theCase = "overtaken-fin.server-shutdown.ipv4"

func TestThePageInABrowser(t *testing.T) {
	b := open(t, real(t), "")
	b.want("the verdict comes first", `document.querySelector("h1").textContent === "no regression"`)
	b.want("nothing is shown before it is asked for", `!document.querySelector("dialog").open`)
	b.want("the story is told with both ladders", `document.querySelector(".story .broad svg.tcp-ladder desc").textContent.includes("bullseye") && document.querySelector(".story .broad svg.tcp-ladder desc").textContent.includes("trixie")`)

	// From a cell of the table to both ladders, and back.
	b.do(chromedp.Click(chromedp.CSS(`.grid td.improved a[href="#`+theCase+`"]`), chromedp.NodeVisible))
	b.do(chromedp.WaitVisible(chromedp.CSS(`dialog[open] svg.tcp-ladder`)))
	b.want("both kernels' ladders are in one drawing", `[..."bullseye trixie".split(" ")].every(k => [...document.querySelectorAll("dialog svg.tcp-ladder text")].some(t => t.textContent.includes(k)))`)
	b.want("the first difference is marked", `[...document.querySelectorAll("dialog svg.tcp-ladder text")].some(t => t.textContent.includes("first difference"))`)
	b.want("a screen reader is told where it is", `document.activeElement.id === "`+theCase+`" && document.querySelector("dialog").ariaLabel === "overtaken-fin/server-shutdown/ipv4"`)
	b.headed()
	for _, theme := range []string{"light", "dark"} {
		b.theme(theme)
		b.keep("ladder-" + theme)
		b.readable("a scenario, " + theme)
	}
	b.do(chromedp.KeyEvent(kb.ArrowRight))
	b.want("an arrow leads to the next scenario", `document.activeElement.id === "`+theCase+`.wire"`)
	b.do(chromedp.KeyEvent(kb.Escape), chromedp.WaitNotPresent(chromedp.CSS(`dialog[open]`)))
	b.soon("the focus is where it was left", `document.activeElement.hash === "#`+theCase+`.wire"`)
	for _, theme := range []string{"light", "dark"} {
		b.theme(theme)
		ask[any](b, `scrollTo(0, 0)`)
		b.keep("top-" + theme)
		b.readable("the page, " + theme)
		b.do(chromedp.ScrollIntoView(chromedp.CSS("#find")))
		b.keep("table-" + theme)
		b.do(chromedp.ScrollIntoView(chromedp.CSS(".environment")))
		b.keep("latency-" + theme)
	}
	b.quiet()
}

func TestThePageByKeyboard(t *testing.T) {
	b := open(t, real(t), "")
	b.do(chromedp.KeyEvent(kb.Tab), chromedp.KeyEvent(kb.Enter))
	b.want("the first stop leads to the table", `location.hash === "#table"`)
	b.do(chromedp.Focus(chromedp.CSS("#find")), chromedp.SendKeys(chromedp.CSS("#find"), "queued"))
	b.want("the table is narrowed down", `document.querySelectorAll(".grid tr[data-c]:not([hidden])").length === 1 && document.querySelector("#found").textContent === "1 of 9"`)
	b.do(chromedp.Focus(chromedp.CSS(`.grid tr:not([hidden]) th a`)), chromedp.KeyEvent(kb.Enter), chromedp.WaitVisible(chromedp.CSS(`dialog[open] svg.tcp-ladder`)))
	b.want("the scenario is shown", `document.activeElement.id.startsWith("queued-fin")`)
	b.do(chromedp.KeyEvent(kb.Escape), chromedp.WaitNotPresent(chromedp.CSS(`dialog[open]`)))
	b.soon("the focus is back", `document.activeElement.hash.startsWith("#queued-fin")`)
	b.want("only one stop a scenario", `[...document.querySelectorAll(".grid td a")].every(a => a.tabIndex < 0)`)
	b.quiet()
}

func TestThePageOnAPhone(t *testing.T) {
	b := open(t, real(t), "")
	b.do(chromedp.EmulateViewport(390, 844))
	for _, theme := range []string{"light", "dark"} {
		b.theme(theme)
		b.keep("phone-" + theme)
	}
	b.want("the page is not wider than the phone", `document.documentElement.scrollWidth <= innerWidth`)
	b.want("the ladders stand below each other", `document.querySelector(".story .narrow svg").getBoundingClientRect().width <= innerWidth && getComputedStyle(document.querySelector(".story .broad")).display === "none"`)
	b.do(chromedp.Click(chromedp.CSS(`.story h3 a`)), chromedp.WaitVisible(chromedp.CSS(`dialog[open] svg.tcp-ladder`)))
	b.want("the scenario fills the phone", `document.querySelector("dialog").getBoundingClientRect().width === innerWidth`)
	b.keep("phone-ladder")
	b.quiet()
}

// A link to a scenario works, also for those who let no page run a script.
func TestALinkToAScenario(t *testing.T) {
	b := open(t, real(t), "#"+theCase)
	b.do(chromedp.WaitVisible(chromedp.CSS(`dialog[open] svg.tcp-ladder`)))
	b.headed()
	b.quiet()
	if _, err := chromedp.Call(b.ctx, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true}); err != nil {
		t.Fatal(err)
	}
	b.do(chromedp.Reload())
	b.do(chromedp.WaitVisible(chromedp.CSS(`#overtaken-fin\.server-shutdown\.ipv4 svg.tcp-ladder`)))
	b.do(chromedp.ScrollIntoView(chromedp.CSS(`#overtaken-fin\.server-shutdown\.ipv4 .command`)))
	b.keep("no-script")
}

// What a record says of itself is text, whatever it says.
func TestNothingOfARecordRuns(t *testing.T) {
	run := real(t)
	const evil = `</title></style><script>document.title = "taken"</script><img src=x onerror='document.title="taken"'>"`
	for _, r := range run.Records {
		r.Kernel.Source, r.Kernel.Version, r.Kernel.Notes, r.Incomplete = evil, evil, []string{evil}, evil
		for i := range r.Scenarios {
			if len(r.Scenarios[i].Trials) > 0 {
				r.Scenarios[i].Trials[0].Exchange.Client.Call = evil
			}
		}
	}
	b := open(t, NewRun(run.Records, true), "#"+theCase)
	b.do(chromedp.WaitVisible(chromedp.CSS(`dialog[open]`)))
	b.want("the title is the page's", `document.title.includes("</title>")`)
	b.want("there is one script and no picture", `document.scripts.length === 1 && document.images.length === 0`)
	b.quiet()
}

// What the other tests hold that a page does not do, they would notice.
func TestWhatAPageMustNotDoIsNoticed(t *testing.T) {
	b := open(t, real(t), "")
	for what, script := range map[string]string{
		"fetched":   `new Image().src = "file:///nowhere.png"`,
		"failed":    `setTimeout(() => { throw new Error("on purpose") }); new Promise(done => setTimeout(() => done(1), 20))`,
		"console":   `console.error("on purpose")`,
		"complains": `document.body.append(Object.assign(document.createElement("script"), {textContent: "1"}))`,
	} {
		ask[any](b, script)
		if noticed := strings.Join(b.noticed(), "; "); !strings.Contains(noticed, what) {
			t.Errorf("of %s it notices %q", script, noticed)
		}
	}
}

// readable holds every word that is to be seen against what it stands on: WCAG 2.2,
// 1.4.3, wants a contrast of 4.5.
func (b *browser) readable(what string) {
	b.t.Helper()
	for _, bad := range ask[[]string](b, contrast) {
		b.t.Errorf("%s: too little contrast: %s", what, bad)
	}
}

const contrast = `(() => {
	const canvas = document.createElement("canvas").getContext("2d", {willReadFrequently: true});
	const rgba = (colour) => {
		canvas.clearRect(0, 0, 1, 1);
		canvas.fillStyle = colour;
		canvas.fillRect(0, 0, 1, 1);
		return [...canvas.getImageData(0, 0, 1, 1).data];
	};
	const light = ([r, g, b]) => [r, g, b].map(v => v / 255).map(v => v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4)
		.reduce((sum, v, i) => sum + v * [.2126, .7152, .0722][i], 0);
	const paper = (e) => {
		for (; e; e = e.parentElement) {
			const colour = rgba(getComputedStyle(e).backgroundColor);
			if (colour[3] === 255) return colour;
		}
		return [255, 255, 255];
	};
	const root = document.querySelector("dialog[open]") ?? document.body;
	const bad = new Set();
	for (const e of root.querySelectorAll("*")) {
		const text = [...e.childNodes].filter(n => n.nodeType === 3).map(n => n.data.trim()).join("");
		const box = e.getBoundingClientRect();
		if (!text || !box.width || !e.checkVisibility() || e.closest(".vh, .skip, title, desc")) continue;
		const style = getComputedStyle(e);
		const [a, b] = [light(rgba(e instanceof SVGElement ? style.fill : style.color)), light(paper(e))];
		const ratio = (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
		if (ratio < 4.5) bad.add(e.tagName + "." + e.getAttribute("class") + " " + ratio.toFixed(2) + " " + text.slice(0, 40));
	}
	return [...bad];
})()`

// A run whose pictures are looked at has everything: three kernels, one of which
// regressed and one of which has what was not conclusive.
func TestThePageOfARegression(t *testing.T) {
	run := real(t)
	old, trixie := run.Records[0], run.Records[1]
	text, err := json.Marshal(trixie)
	if err != nil {
		t.Fatal(err)
	}
	open1, err := parse(text)
	if err != nil {
		t.Fatal(err)
	}
	open1.Kernel = Kernel{Source: "debian/sid", Version: "6.16.3-1", Release: "6.16.3-cloud-amd64"}
	open1.Incomplete = "debian/sid: interrupted"
	for i := range open1.Scenarios {
		if s := &open1.Scenarios[i]; s.Name == "lost-fin/server/server-close/ipv6/wire" {
			s.Outcome, s.Trials[0].Outcome, s.Trials[0].Why = inconclusive, inconclusive, []string{"the server's tap lost 3 segments"}
		}
	}
	b := open(t, NewRun([]*Record{trixie, old, open1}, true), "")
	b.want("the verdict is the worst", `document.querySelector("h1").textContent === "regression"`)
	b.want("each candidate has its own", `document.querySelectorAll(".candidate .pill").length === 2`)
	for _, theme := range []string{"light", "dark"} {
		b.theme(theme)
		b.keep("regression-" + theme)
		b.readable("a regression, " + theme)
	}
	b.quiet()
}
